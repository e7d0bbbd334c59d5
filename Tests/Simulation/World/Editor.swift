import JSON
import Rooms
import SocketIOServer

/// A person with a browser: makes and joins rooms, edits, renames, uploads, leaves, and comes back
/// with the same credential whatever breaks.
final class Editor {
    /// What it has asked for and waits for.
    enum Call {
        case create(String)
        case join(String)
        case leave
        case edit(String, uuid: String, value: String?, adds: Bool)
        case upload
        case other
    }

    let number: Int
    let cookie: String
    private unowned let world: World
    private let dice: Dice
    private(set) var session: SimulatedSession?
    private(set) var instance: SimulatedInstance?
    private(set) var socketID = ""
    private(set) var isJoined = false
    /// Where it wants to be.
    private(set) var room: String
    private(set) var scene: [String: String] = [:]
    /// Objects of which it cannot know what the others see: an own edit that was under way as a
    /// whole scene came.
    private(set) var uncertain: Set<String> = []
    /// The same of an own upload: of all objects.
    private(set) var isUncertain = false
    private(set) var list: [(id: String, isHost: Bool)] = []
    private var stamps: [String: Version] = [:]
    private var sceneVersion: Version = 0
    private var lastEvent: Version = 0
    private var calls: [Int: Call] = [:]
    private var callCount = 0
    /// What was asked for before the last upload: that says more.
    private var uploadedAt = 0
    /// When it was last sent a scene.
    private(set) var sceneCameAt: Int64 = 0
    private(set) var sceneSender: SimulatedInstance?
    private var editCount = 0
    private var isConnecting = false

    init(_ number: Int, in world: World, dice: Dice) {
        self.number = number
        self.world = world
        self.dice = dice
        cookie = dice.token(32)
        room = world.roomNames[number % world.roomNames.count]
    }

    private var outside: SimulatedLoop { world.outside }

    // MARK: Connecting

    func connectSoon(_ wait: ClosedRange<Int> = 100...600) {
        guard !isConnecting, session == nil else { return }
        isConnecting = true
        outside.after(dice.milliseconds(wait)) {
            self.isConnecting = false
            self.connect()
        }
    }

    private func connect() {
        guard session == nil else { return }
        guard let instance = world.instanceForClient(dice) else { return connectSoon(500...2_000) }
        let session = SimulatedSession(
            id: "s" + dice.token(12), on: instance.loop, outside: outside, cookie: cookie,
            address: "10.0.0.\(number + 1)", dice: dice.split())
        self.session = session
        self.instance = instance
        session.onFrame = { [weak self] in self?.received($0) }
        session.onEnd = { [weak self, weak session] in
            if let self, self.session === session { self.lost() }
        }
        instance.accept(session)
        session.write("0")
    }

    private func lost() {
        forget()
        world.history.note(.lost, number) { "editor \(self.number) has lost its connection" }
        connectSoon()
    }

    /// The connection breaks; its instance notices later.
    func drop(noticedAfter time: Duration) {
        guard let session else { return }
        session.abandon(noticedAfter: time)
        lost()
    }

    private func forget() {
        session = nil
        instance = nil
        isJoined = false
        socketID = ""
        calls = [:]
        list = []
    }

    // MARK: Asking

    private func ask(_ event: String, _ payload: String, _ call: Call) {
        guard let session else { return }
        callCount += 1
        calls[callCount] = call
        session.write("42\(callCount)[\"\(event)\",\(payload)]".dropFirst().description)
        let number = callCount
        outside.after(.milliseconds(5_300)) {
            self.world.checkers.answerIsDue(
                isMissing: self.session === session && self.calls[number] != nil, call, self)
        }
    }

    private func join() {
        ask("join-room", #"{"roomId":"\#(room)","userName":"E\#(number)"}"#, .join(room))
    }

    /// Does one thing, whatever comes to its mind.
    func act() {
        guard session != nil, isJoined else { return }
        switch dice.int(0...99) {
        case 0...63: edit()
        case 64...73: remove()
        case 74...79: rename()
        case 80...85: upload()
        case 86...91: askForScene()
        case 92...93: leave()
        case 94...95:
            ask(
                "sync-scene-background-update",
                #"{"roomId":"\#(room)","backgroundData":{"type":"Color","r":0.5,"g":0,"b":1}}"#,
                .other)
        default: ask("get-rooms", "null", .other)
        }
    }

    private func edit() {
        editCount += 1
        let uuid = "o\(dice.int(0...7))"
        let value = "e\(number).\(editCount)"
        let isKnown = scene[uuid] != nil
        let kind = isKnown && dice.chance(70) ? "general" : "object-added"
        world.history.note(.edit, number, editCount) {
            "editor \(self.number) sets \(uuid) to \(value) (\(kind)) in \(self.room)"
        }
        let object = #"{"object":{"uuid":"\#(uuid)","type":"Mesh","name":"\#(value)"}}"#
        ask(
            "sync-editor-object-update",
            #"{"roomId":"\#(room)","objectUuid":"\#(uuid)","changeType":"\#(kind)","#
                + #""objectData":\#(object)}"#,
            .edit(room, uuid: uuid, value: value, adds: kind == "object-added"))
        scene[uuid] = value
    }

    private func remove() {
        guard let uuid = dice.pick(scene.keys.sorted()) else { return }
        world.history.note(.edit, number) { "editor \(self.number) removes \(uuid)" }
        ask(
            "sync-editor-object-removal",
            #"{"roomId":"\#(room)","objectId":"\#(uuid)","objectType":"Mesh","objectName":""}"#,
            .edit(room, uuid: uuid, value: nil, adds: true))
        scene[uuid] = nil
    }

    private func rename() {
        editCount += 1
        let payload = #"{"roomId":"\#(room)","userName":"E\#(number) \#(editCount)"}"#
        ask("user-name-change", payload, .other)
    }

    private func upload() {
        var objects = scene
        editCount += 1
        objects["u\(dice.int(0...2))"] = "e\(number).\(editCount)"
        world.history.note(.upload, number) { "editor \(self.number) uploads \(objects.count)" }
        ask(
            "sync-full-editor",
            #"{"roomId":"\#(room)","editorData":\#(Self.document(objects))}"#, .upload)
        scene = objects
        uploadedAt = callCount
    }

    static func document(_ objects: [String: String]) -> String {
        let children = objects.sorted { $0.key < $1.key }
            .map { #"{"uuid":"\#($0.key)","type":"Mesh","name":"\#($0.value)"}"# }
        return """
            {"metadata":{},"project":{},"camera":{"metadata":{},"object":{"uuid":"cam",\
            "type":"PerspectiveCamera"}},"scene":{"metadata":{},"object":{"uuid":"root",\
            "type":"Scene","children":[\(children.joined(separator: ","))]}},\
            "scripts":{},"history":{"undos":[],"redos":[]},"environment":null}
            """
    }

    private func leave() {
        world.history.note(.leave, number) { "editor \(self.number) leaves \(self.room)" }
        ask("leave-room", #""\#(room)""#, .leave)
    }

    // MARK: Hearing

    private func received(_ bytes: [UInt8]) {
        guard let start = bytes.firstIndex(where: { $0 == 0x5b || $0 == 0x7b }) else { return }
        let body = JSONText(unchecked: bytes[start...])
        switch bytes.first {
        case UInt8(ascii: "0"):
            socketID = body["sid"]?.string ?? ""
            join()
        case UInt8(ascii: "2"):
            let elements = body.elements
            heard(elements[0].string ?? "", elements.count > 1 ? elements[1] : .null)
        case UInt8(ascii: "3"):
            let id = Int(String(decoding: bytes[1..<start], as: UTF8.self)) ?? 0
            guard let call = calls.removeValue(forKey: id), let answer = body.elements.first
            else { return }
            answered(call, answer, isSuperseded: id < uploadedAt)
        default: break
        }
    }

    private func answered(_ call: Call, _ answer: JSONText, isSuperseded: Bool) {
        let isDone = answer["ok"]?.bool ?? false
        let version = Version(clamping: answer["version"]?.int ?? 0)
        switch call {
        case .create(let room):
            if isDone { entered(room) } else { tryAgain() }
        case .join(let room):
            if isDone { return entered(room) }
            if answer["error"]?["code"]?.string == "ROOM_NOT_FOUND" {
                let payload = #"{"roomId":"\#(room)","userName":"E\#(number)","editor":null}"#
                return ask("create-room", payload, .create(room))
            }
            tryAgain()
        case .leave:
            guard isDone else { return }
            isJoined = false
            room = dice.pick(world.roomNames) ?? room
            tryAgain()
        case .edit(let room, let uuid, let value, let adds):
            world.history.note(.answer, number, isDone ? 1 : 0, Int(version)) {
                "editor \(self.number) is answered: \(uuid) = \(value ?? "-")"
                    + " \(isDone ? "at \(version)" : "refused \(answer.text)")"
            }
            guard isDone else { return askForScene() }
            world.checkers.acknowledged(room, uuid, value, version, by: self)
            guard room == self.room, isJoined, !isSuperseded, stamps[uuid, default: 0] < version,
                !uncertain.contains(uuid), adds || scene[uuid] != nil
            else { return }
            scene[uuid] = value
            stamps[uuid] = version
        case .upload: if !isDone { askForScene() }
        case .other: break
        }
    }

    /// What it shows may not be what is stored.
    private func askForScene() {
        guard isJoined else { return }
        ask("request-editor-sync", #"{"roomId":"\#(room)"}"#, .other)
    }

    private func tryAgain() {
        let session = session
        outside.after(dice.milliseconds(200...800)) {
            if self.session === session, session != nil, !self.isJoined { self.join() }
        }
    }

    private func entered(_ room: String) {
        world.history.note(.joined, number) { "editor \(self.number) is in \(room)" }
        isJoined = true
    }

    private func heard(_ event: String, _ payload: JSONText) {
        switch event {
        case "joined-room", "room-created":
            scene = [:]
            stamps = [:]
            lastEvent = 0
            uncertain = []
            isUncertain = false
        case "receive-full-editor": replaceScene(payload)
        case "receive-editor-object-update":
            let object = payload["objectData"]?["object"]
            set(payload["objectUuid"]?.string, object?["name"]?.string, payload)
        case "receive-editor-object-removal":
            set(payload["objectId"]?.string, nil, payload)
        case "users-list":
            list = payload.elements.map { member in
                (member["id"]?.string ?? "", member["role"]?.string == "host")
            }
        case "room-deleted":
            world.history.note(.leave, number) { "editor \(self.number)'s room has ended" }
            isJoined = false
            tryAgain()
        default: break
        }
    }

    private func set(_ uuid: String?, _ value: String?, _ payload: JSONText) {
        guard let uuid, let version = payload["version"]?.int.map({ Version(clamping: $0) })
        else { return }
        world.history.note(.heard, number, Int(version)) {
            "editor \(self.number) hears \(uuid) = \(value ?? "-") at \(version)"
        }
        world.checkers.heard(version, after: lastEvent, uuid, value, by: self)
        lastEvent = version
        stamps[uuid] = version
        let isOwnUnderWay = calls.values.contains { call in
            if case .edit(_, uuid, _, _) = call { true } else { false }
        }
        // Of an object that it does not have it takes an update only if that adds it.
        let adds = payload["changeType"].map { $0.string != "general" } ?? true
        if isOwnUnderWay { uncertain.insert(uuid) } else if adds { uncertain.remove(uuid) }
        if value != nil, scene[uuid] == nil, !adds { return askForScene() }
        scene[uuid] = value
    }

    private func replaceScene(_ payload: JSONText) {
        guard let data = payload["editorData"], !data.isNull else {
            if !scene.isEmpty { upload() }
            return
        }
        let version = Version(clamping: payload["version"]?.int ?? 0)
        world.history.note(.scene, number, Int(version)) {
            "editor \(self.number) is sent the scene at \(version)"
        }
        world.checkers.sceneCame(version, after: sceneVersion, to: self)
        sceneCameAt = world.scheduler.now
        sceneSender = instance
        sceneVersion = version
        scene = Self.objects(of: data)
        stamps = [:]
        lastEvent = 0
        uncertain = Set(
            calls.values.compactMap { call in
                if case .edit(_, let uuid, _, _) = call { uuid } else { nil }
            })
        isUncertain = calls.values.contains { if case .upload = $0 { true } else { false } }
    }

    /// Names of the objects by uuid.
    static func objects(of editorData: JSONText) -> [String: String] {
        let children = editorData["scene"]?["object"]?["children"]?.elements ?? []
        var objects: [String: String] = [:]
        for child in children {
            guard let uuid = child["uuid"]?.string else { continue }
            objects[uuid] = child["name"]?.string ?? ""
        }
        return objects
    }
}
