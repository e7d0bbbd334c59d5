import JSON

/// The parts of an object update's `objectData`.
struct ObjectUpdate {
    /// The object and its descendants, each before its children.
    var objects: [SceneObject]
    /// Arrays of assets that came along.
    var libraries: [(kind: AssetLibrary.Kind, array: JSONText)] = []
    var metadata: JSONText?

    static func parse(_ data: JSONText) throws(SceneError) -> ObjectUpdate {
        var node: JSONText?
        var update = ObjectUpdate(objects: [])
        data.forEachMember { key, value in
            if key == "object" {
                node = value
            } else if key == "metadata" {
                update.metadata = value
            } else if let kind = AssetLibrary.Kind(key), value.kind == .array {
                update.libraries.append((kind, value))
            }
        }
        let depth = SceneLimits.treeDepth - 1
        guard let node else {
            update.libraries = []
            update.objects = try SceneObjectParser.parse(data, named: "objectData", depth: depth)
            return update
        }
        update.objects = try SceneObjectParser.parse(node, named: "objectData", depth: depth)
        for library in update.libraries {
            try TrustedScan.checkDepth(library.array, "objectData")
        }
        return update
    }

    /// The data of such an update, without the objects at the given positions and what is below
    /// them.
    func data(leavingOut left: Set<Int> = []) -> JSONText {
        let metadata = metadata.map { JSONValue.raw($0) } ?? SceneSkeleton.metadata
        var members: [(String, JSONValue)] = [("metadata", metadata)]
        for library in libraries { members.append((library.kind.name, .raw(library.array))) }
        members.append(("object", .raw(JSONText(unchecked: tree(leavingOut: left)[...]))))
        return JSONValue.members(members).json
    }

    private func tree(leavingOut left: Set<Int>) -> [UInt8] {
        var output: [UInt8] = []
        var open: [(end: Int, hasChildren: Bool)] = []
        func close(before index: Int) {
            while let last = open.last, last.end <= index {
                output += (last.hasChildren ? "]}" : "}").utf8
                open.removeLast()
            }
        }
        var index = 0
        while index < objects.count {
            close(before: index)
            let object = objects[index]
            guard !left.contains(index) else {
                index = object.end
                continue
            }
            if let parent = open.indices.last {
                let isBare = output.last == UInt8(ascii: "{")
                output +=
                    (open[parent].hasChildren
                    ? "," : isBare ? #""children":["# : #","children":["#).utf8
                open[parent].hasChildren = true
            }
            let properties = object.propertiesWithUUID
            output += properties[..<(properties.count - 1)]
            open.append((object.end, false))
            index += 1
        }
        close(before: objects.count)
        return output
    }
}
