import JSON

extension SceneDocument {
    /// The scene as `receive-full-editor` carries it (R28, R29, R30); nil if the room is empty.
    /// Cost: one pass over the scene.
    package func editorData() -> JSONText? {
        guard !tree.isEmpty else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(approximateByteCount + 128 * objectCount + 1_024)
        output += #"{"metadata":"#.utf8
        output += objectOrEmpty(metadata).bytes
        if let project, !project.isNull {
            output += #","project":"#.utf8
            output += project.bytes
        }
        output += #","camera":"#.utf8
        output += (camera.value ?? SceneSkeleton.camera(rootUUID: rootUUID)).bytes
        output += #","scene":"#.utf8
        writeScene(into: &output)
        output += #","scripts":"#.utf8
        writeScripts(into: &output)
        output += #","history":{"undos":[],"redos":[]},"environment":"#.utf8
        output += (environment ?? .null).bytes
        output += #","object":"#.utf8
        tree.writeOutline(into: &output)
        output.append(UInt8(ascii: "}"))
        return JSONText(unchecked: output[...])
    }

    /// An object with all below it, in the shape of an update: `{metadata, object}`. Nil if
    /// unknown.
    func objectData(of slot: ObjectTree.Slot) -> JSONText {
        var object: [UInt8] = []
        tree.write(slot, into: &object)
        let data: JSONValue = [
            "metadata": SceneSkeleton.metadata, "object": .raw(JSONText(unchecked: object[...])),
        ]
        return data.json
    }

    private var rootUUID: String { tree.isEmpty ? "" : tree[tree.root].uuid ?? "" }

    private func objectOrEmpty(_ text: JSONText?) -> JSONText {
        guard let text, text.kind == .object else { return .emptyObject }
        return text
    }

    private func writeScene(into output: inout [UInt8]) {
        output += #"{"metadata":"#.utf8
        (sceneMetadata.map { .raw($0) } ?? SceneSkeleton.metadata).write(into: &output)
        for kind in AssetLibrary.Kind.allCases where !assets[kind].assets.isEmpty {
            output += #",""#.utf8
            output += kind.name.utf8
            output += #"":["#.utf8
            for (index, asset) in assets[kind].assets.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                output += asset.text
            }
            output.append(UInt8(ascii: "]"))
        }
        for member in sceneMembers {
            output.append(UInt8(ascii: ","))
            output += member.key
            output.append(UInt8(ascii: ":"))
            output += member.value
        }
        output += #","object":"#.utf8
        tree.write(tree.root, rootMembers: rootMembers, into: &output)
        output.append(UInt8(ascii: "}"))
    }

    var rootMembers: [UInt8] {
        var members: [UInt8] = []
        if let background = background.value {
            members += #","background":"#.utf8
            members += background
        }
        if let fog = fog.value {
            members += #","fog":"#.utf8
            members += fog
        }
        return members
    }

    /// Only scripts of objects that are there: the browser client drops others (R29).
    private func writeScripts(into output: inout [UInt8]) {
        output.append(UInt8(ascii: "{"))
        for object in scripts.objects where tree.slot(of: object) != nil {
            if output.last != UInt8(ascii: "{") { output.append(UInt8(ascii: ",")) }
            JSONValue.string(object).write(into: &output)
            output += ":[".utf8
            for (index, script) in scripts[object].enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                output += script.text
            }
            output.append(UInt8(ascii: "]"))
        }
        output.append(UInt8(ascii: "}"))
    }
}
