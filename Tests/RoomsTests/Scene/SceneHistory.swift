import JSON

@testable import Rooms

/// Random edits over few uuids, so that they meet often.
struct SceneHistory {
    var random: SceneRandom
    /// Of uploads: objects with equal uuids and without. Off where scenes are compared by uuid.
    var allowsNameless = true
    /// No object has children but the root.
    var isFlat = false
    private var serial = 0

    init(seed: UInt64) {
        random = SceneRandom(seed: seed)
    }

    static let uuids = (0..<14).map { "o\($0)" }

    mutating func edit() -> SceneEdit {
        switch random.below(100) {
        case 0..<4: .replace(editorData: upload())
        case 4..<45: update()
        case 45..<62: .objectRemoval(uuid: random.pick(Self.uuids + ["root", "cam", "none"]))
        case 62..<67: .background(random.chance(30) ? .null : color())
        case 67..<72: .fog(random.chance(30) ? .null : fog())
        case 72..<80: .scriptAdded(objectUUID: random.pick(Self.uuids), script: script())
        case 80..<88: .scriptChanged(objectUUID: random.pick(Self.uuids), script: script())
        case 88..<94: .scriptRemoved(objectUUID: random.pick(Self.uuids), script: script())
        default: .material(uuid: random.pick(["m0", "m1"]), data: material())
        }
    }

    mutating func upload() -> JSONText {
        let scripts = random.chance(50) ? "{}" : #"{"o1":[\#(script().text)]}"#
        var root = random.pick(["", #","background":7"#, #","background":null,"fog":null"#])
        if random.chance(30) { root += #","fog":{"type":"Fog","near":1}"# }
        return Fixture.editor(
            children(depth: 0), libraries: libraries(), root: root, scripts: scripts)
    }

    mutating func update() -> SceneEdit {
        let changeType = random.pick([
            "general", "general", "material-change", "object-added", "force-sync",
            "imported-object",
        ])
        let uuid = random.pick(Self.uuids + ["root", "cam", "otherRoot"])
        let type = uuid.hasSuffix("oot") ? "Scene" : "Mesh"
        let nested = !isFlat && random.chance(40) ? #","children":[\#(children(depth: 1))]"# : ""
        return Fixture.update(
            uuid, #""type":"\#(type)","n":\#(number())\#(nested)"#, libraries: libraries(),
            as: changeType)
    }

    private mutating func children(depth: Int) -> String {
        let count = random.below(depth == 0 ? 6 : 3)
        return (0..<count).map { _ in object(depth: depth) }.joined(separator: ",")
    }

    private mutating func object(depth: Int) -> String {
        if allowsNameless, random.chance(5) { return random.pick(["null", "3", "[{}]"]) }
        let nested =
            !isFlat && depth < 4 && random.chance(50)
            ? #","children":[\#(children(depth: depth + 1))]"# : ""
        let members = #""n":\#(number())\#(nested)"#
        if allowsNameless, random.chance(8) {
            return random.pick([#"{\#(members)}"#, #"{"uuid":9,\#(members)}"#])
        }
        return #"{"uuid":"\#(random.pick(Self.uuids))",\#(members)}"#
    }

    private mutating func libraries() -> String {
        guard random.chance(40) else { return "" }
        let geometries = #""geometries":[{"uuid":"g\#(random.below(4))","n":\#(number())}],"#
        let materials = #""materials":[{"uuid":"m\#(random.below(3))","n":\#(number())}],"#
        return random.pick([geometries, materials, geometries + materials])
    }

    private mutating func script() -> JSONText {
        Fixture.script("s\(random.below(3))", "\(number())")
    }

    private mutating func material() -> JSONText {
        Fixture.json(
            #"{"metadata":{},"n":\#(number()),"textures":[{"uuid":"t","n":\#(number())}]}"#)
    }

    private mutating func color() -> JSONText {
        Fixture.json(#"{"type":"Color","r":\#(unit()),"g":\#(unit()),"b":\#(unit())}"#)
    }

    private mutating func fog() -> JSONText {
        let color = #""color":{"r":\#(unit()),"g":\#(unit()),"b":\#(unit())}"#
        return Fixture.json(
            random.chance(50)
                ? #"{"type":"Fog",\#(color),"near":\#(number()),"far":9}"#
                : #"{"type":"FogExp2",\#(color),"density":0.25}"#)
    }

    private mutating func unit() -> Double { Double(random.below(1_001)) / 1_000 }

    /// Each number is used once: equal objects are equal because one came from the other.
    private mutating func number() -> Int {
        serial += 1
        return serial
    }
}
