/// What was removed, and when; the oldest is forgotten beyond `SceneLimits.tombstones`.
struct Tombstones {
    struct Key: Hashable {
        var object: String
        /// Nil: the object itself.
        var script: String?
    }

    private struct Grave {
        var version: UInt64
        /// Tells it from another of the same key and version, before a revival.
        var serial: Int
    }

    private var graves: [Key: Grave] = [:]
    /// Keys in the order of removal; those removed again or revived since are stale and skipped.
    private var order: [(key: Key, serial: Int)] = []
    private var head = 0
    private var serial = 0

    var count: Int { graves.count }

    /// Bytes kept, roughly.
    private(set) var byteCount = 0

    func version(of object: String, script: String? = nil) -> UInt64? {
        graves[Key(object: object, script: script)]?.version
    }

    /// Remembers a removal, and gives the keys that had to be forgotten for it.
    mutating func insert(
        _ object: String, script: String? = nil, at version: UInt64
    ) -> [Key] {
        let key = Key(object: object, script: script)
        if let known = graves[key], known.version >= version { return [] }
        serial += 1
        let grave = Grave(version: version, serial: serial)
        if graves.updateValue(grave, forKey: key) == nil { byteCount += key.byteCount }
        order.append((key, serial))
        var forgotten: [Key] = []
        while graves.count > SceneLimits.tombstones, head < order.count {
            let oldest = order[head]
            head += 1
            guard graves[oldest.key]?.serial == oldest.serial else { continue }
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
        order[head...].compactMap { key, serial in
            graves[key].flatMap { $0.serial == serial ? (key, $0.version) : nil }
        }
    }

    private mutating func remove(_ key: Key) {
        if graves.removeValue(forKey: key) != nil { byteCount -= key.byteCount }
    }

    private mutating func compact() {
        guard order.count > 2 * SceneLimits.tombstones + 64 else { return }
        order = order[head...].filter { graves[$0.key]?.serial == $0.serial }
        head = 0
    }
}

extension Tombstones.Key {
    fileprivate var byteCount: Int { object.utf8.count + (script?.utf8.count ?? 0) + 8 }
}
