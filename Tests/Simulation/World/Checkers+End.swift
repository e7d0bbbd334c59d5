import RoomService
import Rooms

// What must hold at the end, once all is quiet.
extension Checkers {
    /// What is not as it must be once all is quiet; empty when the simulation may end.
    func remaining() -> [Violation] {
        var found: [Violation] = []
        func add(_ checker: Checker, _ text: String) {
            guard world.options.checkers.contains(checker) else { return }
            found.append(Violation(checker: checker, text: text))
        }
        let served = Set(
            world.instances.filter { !$0.hasCrashed }.flatMap { instance in
                instance.rooms.map { "\(instance.id)/\($0.state.control.id)" }
            })
        for suspicion in suspicions
        where [suspicion.one, suspicion.other].allSatisfy({
            !$0.isOver && served.contains($0.owner)
        }) {
            add(.order, suspicion.text)
        }
        for instance in world.instances {
            if instance.hasCrashed || !instance.store.state.isDurable {
                let state = instance.hasCrashed ? "ended" : "\(instance.store.state)"
                add(.equal, "\(instance.id) is not in step with the store: \(state)")
            }
        }
        let open = world.instances.filter { !$0.hasCrashed }
            .flatMap { instance in instance.rooms.map { (instance, $0) } }
        for name in world.roomNames {
            let here = open.filter { $0.1.state.control.id == name }
            check(name, world.storedState(name), here, add)
        }
        checkEdits(add)
        return found
    }

    private func check(
        _ name: String, _ stored: RoomState?, _ copies: [(SimulatedInstance, RoomInspection)],
        _ add: (Checker, String) -> Void
    ) {
        let present = world.editors.filter { $0.isJoined && $0.room == name }
        guard let stored else {
            if !present.isEmpty || !copies.isEmpty { add(.equal, "\(name) is not stored") }
            return
        }
        let bytes = stored.checkpoint()
        for (instance, copy) in copies {
            if !copy.isSettled || copy.state.checkpoint() != bytes {
                add(
                    .equal,
                    "\(name) on \(instance.id) is at \(copy.state.version), stored at"
                        + " \(stored.version)")
            }
        }
        let members = Set(stored.control.members.keys)
        if members != Set(present.map(\.socketID)) {
            let editors = present.map { "\($0.number):\($0.socketID)" }
            add(.members, "\(name) has \(members.sorted()), present are \(editors)")
        }
        if !members.isEmpty, stored.control.hostID.map(members.contains) != true {
            add(.host, "\(name) has \(members.count) members and no host")
        }
        let scene = stored.scene.editorData().map(Editor.objects) ?? [:]
        for editor in present {
            let hosts = editor.list.filter(\.isHost).map(\.id)
            if Set(editor.list.map(\.id)) != members || editor.list.count != members.count {
                add(.members, "editor \(editor.number) is shown \(editor.list.map(\.id))")
            } else if hosts != [stored.control.hostID ?? ""] {
                add(.host, "editor \(editor.number) is shown the hosts \(hosts)")
            }
            let unlike = Set(scene.keys).union(editor.scene.keys).filter {
                scene[$0] != editor.scene[$0] && !editor.uncertain.contains($0)
            }
            if !unlike.isEmpty, !editor.isUncertain {
                let texts = unlike.sorted().map {
                    "\($0): \(editor.scene[$0] ?? "-") for \(scene[$0] ?? "-")"
                }
                add(.equal, "editor \(editor.number) in \(name) shows \(texts)")
            }
        }
    }

    private func checkEdits(_ add: (Checker, String) -> Void) {
        var states: [String: (RoomState, [String: String])] = [:]
        for name in world.roomNames {
            guard let state = world.storedState(name) else { continue }
            states[name] = (state, state.scene.editorData().map(Editor.objects) ?? [:])
        }
        for edit in edits.values.sorted(by: { $0.first < $1.first })
        where edit.isAcknowledged && edit.hadEffect && !edit.isExcused {
            guard let (state, scene) = states[edit.room] else {
                add(.acknowledged, "\(edit.room) is gone with \(edit.id)")
                continue
            }
            // Of two rooms made under one name the older one stays.
            if state.control.epoch < edit.epoch { continue }
            let modified = Self.modified(edit.uuid, state)
            if state.control.epoch > edit.epoch || modified < edit.first {
                add(
                    .acknowledged,
                    "\(edit.uuid) = \(edit.value ?? "-") (\(edit.id), \(edit.versions)) is missing:"
                        + " last change \(modified)")
            } else if isAlone(edit, at: modified, state), scene[edit.uuid] != edit.value {
                add(
                    .acknowledged,
                    "\(edit.uuid) of \(modified) is \(scene[edit.uuid] ?? "-") in place of"
                        + " \(edit.value ?? "-")")
            }
        }
    }

    /// Whether the last change of the object is this edit, and not another of the same version:
    /// instances that do not see one another may give one twice.
    private func isAlone(_ edit: Edit, at version: Version, _ state: RoomState) -> Bool {
        let place = Place(room: edit.room, epoch: edit.epoch, version: version)
        return edit.versions.contains(version) && state.scene.replacedAt != version
            && places[place] == [edit.id]
    }
}
