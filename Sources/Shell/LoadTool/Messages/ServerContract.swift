/// The events by which a server is driven: Tandem's contract, or what the options say.
package struct ServerContract: Sendable, Hashable {
    /// How a member learns that it is in its room.
    package enum Confirmation: Sendable, Hashable {
        /// By nothing: taken for done once it is sent.
        case none
        case event(String)
        /// By the acknowledgement of what it sent.
        case acknowledgement
    }

    /// Sent by the first member of a room, in place of `join`.
    package var create: EventTemplate?
    package var created: Confirmation
    /// Nil: members are in their room once they are connected.
    package var join: EventTemplate?
    package var joined: Confirmation
    package var leave: EventTemplate?
    package var left: Confirmation
    package var emit: EventTemplate
    /// The event that the other members receive.
    package var receive: String
    /// A whole scene, for the scenario `scene` and for members who return.
    package var upload: EventTemplate?
    package var whole: String?
    package var isTandem: Bool

    package init(
        create: EventTemplate? = nil, created: Confirmation = .none, join: EventTemplate?,
        joined: Confirmation, leave: EventTemplate? = nil, left: Confirmation = .none,
        emit: EventTemplate, receive: String, upload: EventTemplate? = nil, whole: String? = nil,
        isTandem: Bool = false
    ) {
        self.create = create
        self.created = created
        self.join = join
        self.joined = joined
        self.leave = leave
        self.left = left
        self.emit = emit
        self.receive = receive
        self.upload = upload
        self.whole = whole
        self.isTandem = isTandem
    }

    /// The contract with the editor's browser client.
    package static func tandem() throws(LoadError) -> ServerContract {
        let scene = String(decoding: scene(objects: [("{uuid}", "{payload}")]), as: UTF8.self)
        func template(_ text: String) throws(LoadError) -> EventTemplate {
            try EventTemplate(text, option: "built in")
        }
        let who = #""roomId":"{room}","userName":"{user}","password":null"#
        // A change type of our own: of the editor's, the server sends one that is behind, or
        // applies a scene, the newest state of each object only, and then a gap would be right.
        let edit = #""roomId":"{room}","objectUuid":"{uuid}","changeType":"load""#
        let object =
            #"{"object":{"uuid":"{uuid}","type":"Mesh","userData":{"load":"{payload}"}}}"#
        return ServerContract(
            create: try template(#"["create-room",{\#(who),"editor":{scene}}]"#),
            created: .event("room-created"),
            join: try template(#"["join-room",{\#(who)}]"#), joined: .event("joined-room"),
            leave: try template(#"["leave-room","{room}"]"#), left: .event("left-room"),
            emit: try template(
                #"["sync-editor-object-update",{\#(edit),"objectData":\#(object)}]"#),
            receive: "receive-editor-object-update",
            upload: try template(
                #"["sync-full-editor",{"roomId":"{room}","editorData":\#(scene)}]"#),
            whole: "receive-full-editor", isTandem: true)
    }

    /// The same with whole scenes as messages.
    package static func tandemScenes() throws(LoadError) -> ServerContract {
        var contract = try tandem()
        if let upload = contract.upload, let whole = contract.whole {
            (contract.emit, contract.receive) = (upload, whole)
        }
        return contract
    }

    /// A scene as the editor has it, with an object for each uuid.
    static func scene(objects: [(uuid: String, load: String)]) -> [UInt8] {
        let children = objects.map {
            #"{"uuid":"\#($0.uuid)","type":"Mesh","userData":{"load":"\#($0.load)"}}"#
        }.joined(separator: ",")
        let camera = #"{"object":{"uuid":"load-camera","type":"PerspectiveCamera"}}"#
        let root = #"{"uuid":"load-scene","type":"Scene","children":[\#(children)]}"#
        return Array(
            (#"{"metadata":{},"project":{},"camera":\#(camera),"#
                + #""scene":{"metadata":{"type":"Object"},"object":\#(root)},"#
                + #""scripts":{},"history":{"undos":[],"redos":[]},"environment":null}"#).utf8)
    }
}
