import JSON

/// One kind of shared parts of a scene, by uuid, in the order in which they came.
struct AssetLibrary {
    /// The libraries that three.js writes beside `object` (r180, src/core/Object3D.js, `toJSON`).
    enum Kind: Int, CaseIterable {
        case geometries, materials, textures, images, shapes, skeletons, animations, nodes

        var name: String { Self.names[rawValue] }

        /// Made once: names are compared with each member of each edit.
        private static let names = Self.allCases.map { String(describing: $0) }

        init?(_ key: JSONKey) {
            guard let kind = Self.allCases.first(where: { key == $0.name }) else { return nil }
            self = kind
        }
    }

    struct Asset {
        /// Nil: came in a full upload without one; kept, but never replaced.
        var uuid: String?
        /// The JSON object, its `uuid` included.
        var text: [UInt8]
        var version: UInt64
    }

    private(set) var assets: [Asset] = []
    private var positions: [String: Int] = [:]
    private(set) var byteCount = 0

    subscript(_ uuid: String) -> Asset? { positions[uuid].map { assets[$0] } }

    func position(of uuid: String) -> Int? { positions[uuid] }

    /// Adds the asset, or replaces the one of the same uuid in its place.
    mutating func set(_ asset: Asset) {
        byteCount += asset.text.count
        guard let uuid = asset.uuid else {
            assets.append(asset)
            return
        }
        if let position = positions[uuid] {
            byteCount -= assets[position].text.count
            assets[position] = asset
        } else {
            positions[uuid] = assets.count
            assets.append(asset)
        }
    }

    /// Merges the elements of an array. Elements that are no objects are left out
    /// (`ObjectLoader` throws on them); those without uuid are kept only of a full upload.
    mutating func merge(_ array: JSONText, at version: UInt64, keepingLoose: Bool) {
        array.forEachElement { element in
            guard element.kind == .object else { return }
            let uuid = element["uuid"]?.string.flatMap {
                SceneObject.isAddressable($0) ? $0 : nil
            }
            guard uuid != nil || keepingLoose else { return }
            set(Asset(uuid: uuid, text: Array(element.bytes), version: version))
        }
    }

    /// Keeps the assets at the given positions and those without uuid.
    mutating func keep(_ kept: Set<Int>) {
        let old = assets
        self = AssetLibrary()
        for (position, asset) in old.enumerated() where asset.uuid == nil || kept.contains(position)
        {
            set(asset)
        }
    }
}

/// All libraries of a scene.
struct SceneAssets {
    private var libraries = [AssetLibrary](
        repeating: AssetLibrary(), count: AssetLibrary.Kind.allCases.count)
    /// Bytes after unused assets were last dropped.
    var byteCountAfterSweep = 0

    subscript(_ kind: AssetLibrary.Kind) -> AssetLibrary {
        get { libraries[kind.rawValue] }
        _modify { yield &libraries[kind.rawValue] }
    }

    var byteCount: Int { libraries.reduce(0) { $0 + $1.byteCount } }

    /// Unused assets are looked for when the libraries have doubled: the cost is spread over the
    /// edits that made them grow.
    var wantsSweep: Bool {
        byteCount > max(SceneLimits.sweepFloorBytes, 2 * byteCountAfterSweep)
    }

    /// Drops the assets that neither the given texts nor a used asset names.
    ///
    /// Any string equal to an asset's uuid counts as a use: nothing is dropped that three.js could
    /// look up.
    mutating func sweep(usedBy forEachText: ((UnsafeBufferPointer<UInt8>) -> Void) -> Void) {
        var marks = Marks(libraries)
        forEachText { marks.mark($0) }
        while let (kind, position) = marks.pending.popLast() {
            libraries[kind].assets[position].text.withUnsafeBufferPointer { marks.mark($0) }
        }
        for kind in libraries.indices { libraries[kind].keep(marks.used[kind]) }
        byteCountAfterSweep = byteCount
    }

    /// Finds the assets that texts use.
    struct Finder {
        private let libraries: [AssetLibrary]
        private let blank: Marks

        fileprivate init(_ libraries: [AssetLibrary]) {
            self.libraries = libraries
            var marks = Marks(libraries)
            marks.pending = []
            blank = marks
        }

        /// The assets that the texts name, and those that these name, each kind as an array.
        func libraries(usedBy texts: [[UInt8]]) -> [(kind: AssetLibrary.Kind, array: JSONText)] {
            var marks = blank
            for text in texts { text.withUnsafeBufferPointer { marks.mark($0) } }
            while let (kind, position) = marks.pending.popLast() {
                libraries[kind].assets[position].text.withUnsafeBufferPointer { marks.mark($0) }
            }
            return AssetLibrary.Kind.allCases.compactMap { kind in
                let used = marks.used[kind.rawValue].sorted()
                guard !used.isEmpty else { return nil }
                let assets = used.map { libraries[kind.rawValue].assets[$0].text }
                return (
                    kind, JSONValue.array(assets.map { .raw(JSONText(unchecked: $0[...])) }).json
                )
            }
        }
    }

    var finder: Finder { Finder(libraries) }

    /// Which assets are used, and which of these were not yet searched for further uses.
    fileprivate struct Marks {
        private var places: [String: [(kind: Int, position: Int)]] = [:]
        private var lengths: Set<Int> = []
        var used: [Set<Int>]
        var pending: [(kind: Int, position: Int)] = []

        init(_ libraries: [AssetLibrary]) {
            used = [Set<Int>](repeating: [], count: libraries.count)
            for (kind, library) in libraries.enumerated() {
                for (position, asset) in library.assets.enumerated() {
                    guard let uuid = asset.uuid else {
                        pending.append((kind, position))
                        continue
                    }
                    places[uuid, default: []].append((kind, position))
                    lengths.insert(uuid.utf8.count)
                }
            }
        }

        /// The string, if its length is that of some uuid.
        private func candidate(_ spelled: UnsafeBufferPointer<UInt8>) -> String? {
            if lengths.contains(spelled.count) { return String(decoding: spelled, as: UTF8.self) }
            guard spelled.count <= 6 * SceneLimits.uuidBytes,
                spelled.contains(UInt8(ascii: "\\"))
            else { return nil }
            let quoted = [UInt8(ascii: "\"")] + spelled + [UInt8(ascii: "\"")]
            return JSONText(unchecked: quoted[...]).string
        }

        mutating func mark(_ text: UnsafeBufferPointer<UInt8>) {
            TrustedScan.forEachString(in: text) { spelled in
                guard let text = candidate(spelled) else { return }
                for place in places[text] ?? []
                where used[place.kind].insert(place.position).inserted {
                    pending.append(place)
                }
            }
        }
    }
}
