import JSON

/// The scripts of a scene: an ordered list for each object.
///
/// Those of removed objects are kept as long as the removal is remembered, because members keep
/// them too and an undo brings the object back without them.
struct SceneScripts {
    struct Script {
        var name: String
        /// The JSON object as it was sent.
        var text: [UInt8]
        var version: UInt64
    }

    private(set) var lists: [String: [Script]] = [:]
    private(set) var byteCount = 0

    subscript(_ object: String) -> [Script] { lists[object] ?? [] }

    mutating func append(_ script: Script, to object: String) {
        lists[object, default: []].append(script)
        byteCount += Self.cost(script)
    }

    /// Replaces the first of the same name, else the first, else appends.
    mutating func change(_ script: Script, of object: String) {
        guard let list = lists[object], !list.isEmpty else {
            append(script, to: object)
            return
        }
        let index = list.firstIndex { $0.name == script.name } ?? 0
        byteCount += Self.cost(script) - Self.cost(list[index])
        lists[object]?[index] = script
    }

    /// Removes the first of the name; false if there is none.
    mutating func remove(_ name: String, of object: String) -> Bool {
        guard let list = lists[object], let index = list.firstIndex(where: { $0.name == name })
        else { return false }
        byteCount -= Self.cost(list[index])
        lists[object]?.remove(at: index)
        if list.count == 1 { lists[object] = nil }
        return true
    }

    mutating func removeAll(of object: String) {
        for script in lists.removeValue(forKey: object) ?? [] { byteCount -= Self.cost(script) }
    }

    /// Objects with scripts, in a stable order.
    var objects: [String] { lists.keys.sorted() }

    private static func cost(_ script: Script) -> Int { script.text.count + 48 }
}
