import Foundation
import JSON

@testable import Rooms

/// The rules of the stored scene once more, as plainly as possible: a tree of Foundation values,
/// searched from the root each time.
final class SceneReference {
    final class Node {
        /// Nil: not addressable.
        var uuid: String?
        var members: [String: Any]
        var children: [Node] = []

        init(uuid: String?, members: [String: Any]) {
            self.uuid = uuid
            self.members = members
        }

        var json: [String: Any] {
            var json = members
            if let uuid { json["uuid"] = uuid }
            if !children.isEmpty { json["children"] = children.map(\.json) }
            return json
        }

        var outline: [String: Any] {
            var outline: [String: Any] = ["children": children.map(\.outline)]
            if let uuid { outline["uuid"] = uuid }
            return outline
        }

        func find(_ uuid: String) -> Node? {
            if self.uuid == uuid { return self }
            return children.lazy.compactMap { $0.find(uuid) }.first
        }

        func parent(of node: Node) -> Node? {
            if children.contains(where: { $0 === node }) { return self }
            return children.lazy.compactMap { $0.parent(of: node) }.first
        }

        var addressable: [String] { (uuid.map { [$0] } ?? []) + children.flatMap(\.addressable) }
    }

    private(set) var root: Node?
    private var camera: [String: Any] = [:]
    private var libraries: [String: [[String: Any]]] = [:]
    private var scripts: [String: [[String: Any]]] = [:]
    private var removed: Set<String> = []
    private var isSkeleton = false

    static let kinds = [
        "geometries", "materials", "textures", "images", "shapes", "skeletons", "animations",
        "nodes",
    ]

    func apply(_ edit: SceneEdit, at version: UInt64) {
        switch edit {
        case .replace(let editorData): replace(tree(editorData))
        case .objectUpdate(let uuid, let data, let changeType):
            let adds = ["object-added", "imported-object", "force-sync"].contains(changeType)
            update(uuid, tree(data), adds, version)
        case .objectRemoval(let uuid): remove(uuid)
        case .background(let data): setMember("background", color(tree(data)), version)
        case .fog(let data): setMember("fog", fog(tree(data)), version)
        case .scriptAdded(let uuid, let script): scripts[uuid, default: []].append(tree(script))
        case .scriptChanged(let uuid, let script): change(tree(script), of: uuid)
        case .scriptRemoved(let uuid, let script):
            let name = tree(script)["name"] as? String
            let index = scripts[uuid]?.firstIndex { $0["name"] as? String == name }
            if let index { scripts[uuid]?.remove(at: index) }
        case .material(let uuid, let data): setMaterial(uuid, tree(data))
        }
    }

    /// What the snapshot should be, for a scene that was uploaded at some time.
    var snapshot: [String: Any] {
        guard let root else { return [:] }
        var scene: [String: Any] = ["metadata": ["version": 4.7, "type": "Object"]]
        for (kind, assets) in libraries where !assets.isEmpty { scene[kind] = assets }
        scene["object"] = root.json
        let live = Set(root.addressable)
        return [
            "metadata": [String: Any](), "project": ["shadows": true], "camera": camera,
            "scene": scene, "environment": NSNull(), "object": root.outline,
            "history": ["undos": [Any](), "redos": [Any]()],
            "scripts": scripts.filter { live.contains($0.key) && !$0.value.isEmpty },
        ]
    }

    private func tree(_ text: JSONText) -> [String: Any] {
        let value = try? JSONSerialization.jsonObject(
            with: Data(text.bytes), options: [.fragmentsAllowed])
        return value as? [String: Any] ?? [:]
    }

    private func replace(_ data: [String: Any]) {
        let before = root?.addressable ?? []
        let scene = data["scene"] as? [String: Any] ?? [:]
        camera = data["camera"] as? [String: Any] ?? [:]
        libraries = [:]
        mergeLibraries(scene)
        scripts = data["scripts"] as? [String: [[String: Any]]] ?? [:]
        isSkeleton = false
        var seen: Set<String> = []
        root = build(scene["object"] as? [String: Any] ?? [:], &seen)
        for name in ["background", "fog"] where root?.members[name] is NSNull {
            root?.members[name] = nil
        }
        scripts = scripts.filter { seen.contains($0.key) }
        removed.formUnion(before)
        removed.subtract(seen)
    }

    private func build(_ object: [String: Any], _ seen: inout Set<String>) -> Node {
        var uuid = object["uuid"] as? String
        if let known = uuid, seen.contains(known) { uuid = nil }
        var members = object
        members["children"] = nil
        if let uuid {
            seen.insert(uuid)
            members["uuid"] = nil
        }
        let node = Node(uuid: uuid, members: members)
        for case let child as [String: Any] in object["children"] as? [Any] ?? [] {
            node.children.append(build(child, &seen))
        }
        return node
    }

    private func update(
        _ uuid: String, _ data: [String: Any], _ adds: Bool, _ version: UInt64
    ) {
        let object = data["object"] as? [String: Any] ?? [:]
        if let node = root?.find(uuid) {
            setMembers(of: node, object)
            if adds { graft(object, at: node, isNew: false) }
        } else if (camera["object"] as? [String: Any])?["uuid"] as? String == uuid {
            var members = object
            members["children"] = nil
            members["uuid"] = uuid
            camera = ["metadata": data["metadata"] ?? [:], "object": members]
        } else if removed.contains(uuid), !adds {
            return
        } else if object["type"] as? String == "Scene" {
            removed.remove(uuid)
            let founds = root == nil
            let node = needRoot(version)
            if isSkeleton { node.uuid = uuid }
            setMembers(of: node, object)
            if founds || adds { graft(object, at: node, isNew: founds) }
        } else {
            removed.remove(uuid)
            let node = Node(uuid: uuid, members: [:])
            setMembers(of: node, object)
            needRoot(version).children.append(node)
            graft(object, at: node, isNew: true)
        }
        mergeLibraries(data)
    }

    private func setMembers(of node: Node, _ object: [String: Any]) {
        var members = object
        members["children"] = nil
        members["uuid"] = nil
        node.members = members
        guard node === root else { return }
        for name in ["background", "fog"] where members[name] is NSNull { node.members[name] = nil }
    }

    private func graft(_ object: [String: Any], at node: Node, isNew: Bool) {
        for case let child as [String: Any] in object["children"] as? [Any] ?? [] {
            guard let uuid = child["uuid"] as? String else {
                guard isNew else { continue }
                var members = child
                members["children"] = nil
                let added = Node(uuid: nil, members: members)
                node.children.append(added)
                graft(child, at: added, isNew: true)
                continue
            }
            if let known = root?.find(uuid) {
                graft(child, at: known, isNew: false)
                continue
            }
            removed.remove(uuid)
            let added = Node(uuid: uuid, members: [:])
            setMembers(of: added, child)
            node.children.append(added)
            graft(child, at: added, isNew: true)
        }
    }

    private func needRoot(_ version: UInt64) -> Node {
        if let root { return root }
        let object = try? JSONSerialization.jsonObject(with: Data(SceneSkeleton.rootProperties))
        let node = Node(
            uuid: SceneSkeleton.rootUUID(at: version), members: object as? [String: Any] ?? [:])
        isSkeleton = true
        root = node
        return node
    }

    private func remove(_ uuid: String) {
        if (camera["object"] as? [String: Any])?["uuid"] as? String == uuid { return }
        guard let node = root?.find(uuid) else {
            removed.insert(uuid)
            return
        }
        guard node !== root else { return }
        removed.formUnion(node.addressable)
        root?.parent(of: node)?.children.removeAll { $0 === node }
    }

    private func mergeLibraries(_ data: [String: Any]) {
        for kind in Self.kinds {
            for case let asset as [String: Any] in data[kind] as? [Any] ?? [] {
                setAsset(kind, asset)
            }
        }
    }

    private func setAsset(_ kind: String, _ asset: [String: Any]) {
        guard let uuid = asset["uuid"] as? String else { return }
        let index = libraries[kind]?.firstIndex { $0["uuid"] as? String == uuid }
        if let index {
            libraries[kind]?[index] = asset
        } else {
            libraries[kind, default: []].append(asset)
        }
    }

    private func setMaterial(_ uuid: String, _ data: [String: Any]) {
        mergeLibraries(data)
        var material = data
        for name in Self.kinds + ["metadata"] { material[name] = nil }
        material["uuid"] = uuid
        setAsset("materials", material)
    }

    private func change(_ script: [String: Any], of uuid: String) {
        guard let list = scripts[uuid], !list.isEmpty else {
            scripts[uuid] = [script]
            return
        }
        let name = script["name"] as? String
        scripts[uuid]?[list.firstIndex { $0["name"] as? String == name } ?? 0] = script
    }

    private func setMember(_ name: String, _ value: Any?, _ version: UInt64) {
        if let value {
            needRoot(version).members[name] = value
        } else {
            root?.members[name] = nil
        }
    }

    private func color(_ data: [String: Any]) -> Any? {
        guard let red = data["r"] as? Double, let green = data["g"] as? Double,
            let blue = data["b"] as? Double
        else { return nil }
        return [red, green, blue].reduce(0) { sum, linear in
            let encoded =
                linear < 0.0031308 ? linear * 12.92 : 1.055 * pow(linear, 0.41666) - 0.055
            return sum * 256 + Int((min(max(encoded * 255, 0), 255)).rounded())
        }
    }

    private func fog(_ data: [String: Any]) -> Any? {
        guard let color = color(data["color"] as? [String: Any] ?? [:]) else { return nil }
        var fog = data
        fog["color"] = color
        fog["name"] = ""
        return fog
    }
}
