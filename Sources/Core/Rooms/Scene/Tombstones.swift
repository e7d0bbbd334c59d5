/// What was removed, and when; the oldest is forgotten beyond `SceneLimits.tombstones`.
struct Tombstones {
    struct Key: Hashable {
        var object: String
        /// Nil: the object itself.
        var script: String?
    }

    private var versions: [Key: UInt64] = [:]
    /// Keys in the order of removal; those removed again or revived since are stale and skipped.
    private var order: [(key: Key, version: UInt64)] = []
    private var head = 0

    var count: Int { versions.count }

    /// Bytes kept, roughly.
    private(set) var byteCount = 0

    func version(of object: String, script: String? = nil) -> UInt64? {
        versions[Key(object: object, script: script)]
    }

    /// Remembers a removal, and gives the keys that had to be forgotten for it.
    mutating func insert(
        _ object: String, script: String? = nil, at version: UInt64
    ) -> [Key] {
        let key = Key(object: object, script: script)
        if let known = versions[key], known >= version { return [] }
        if versions.updateValue(version, forKey: key) == nil { byteCount += key.byteCount }
        order.append((key, version))
        var forgotten: [Key] = []
        while versions.count > SceneLimits.tombstones, head < order.count {
            let oldest = order[head]
            head += 1
            guard versions[oldest.key] == oldest.version else { continue }
            remove(oldest.key)
            forgotten.append(oldest.key)
        }
        compact()
        return forgotten
    }

    mutating func remove(_ object: String, script: String? = nil) {
        remove(Key(object: object, script: script))
    }

    /// All that are remembered, oldest removal first.
    var all: [(key: Key, version: UInt64)] {
        order[head...].filter { versions[$0.key] == $0.version }
    }

    private mutating func remove(_ key: Key) {
        if versions.removeValue(forKey: key) != nil { byteCount -= key.byteCount }
    }

    private mutating func compact() {
        guard order.count > 2 * SceneLimits.tombstones + 64 else { return }
        order = all
        head = 0
    }
}

extension Tombstones.Key {
    fileprivate var byteCount: Int { object.utf8.count + (script?.utf8.count ?? 0) + 8 }
}
