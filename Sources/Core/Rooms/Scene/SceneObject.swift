import JSON

/// One object of three.js scene JSON, taken out of its tree.
struct SceneObject {
    /// The uuid, if the object can be addressed by it.
    var uuid: String?
    /// The `uuid` member as it was spelled, of whatever type.
    var uuidText: JSONText?
    /// A JSON object of all members but `uuid` and `children`.
    var properties: [UInt8] = [UInt8(ascii: "{")]
    /// Position of the parent in the list; itself for the first.
    var parent: Int
    /// Position after the last descendant.
    var end = 0

    /// The properties together with the `uuid` member, for an object that is not addressed by it.
    var propertiesWithUUID: [UInt8] {
        guard let uuidText else { return properties }
        var output = Array(#"{"uuid":"#.utf8)
        output += uuidText.bytes
        if properties.count > 2 { output.append(UInt8(ascii: ",")) }
        output += properties[1...]
        return output
    }

    var type: String? { JSONText(unchecked: properties[...])["type"]?.string }

    static func isAddressable(_ uuid: String) -> Bool {
        (1...SceneLimits.uuidBytes).contains(uuid.utf8.count)
    }
}

/// Takes an object tree apart in one pass, without recursion.
struct SceneObjectParser {
    /// The text's first object and its descendants, each before its children.
    ///
    /// Of equal member names the last wins, as in JavaScript. Children that are no objects are left
    /// out: `ObjectLoader.parseObject` (three.js r180, src/loaders/ObjectLoader.js) throws on them.
    static func parse(
        _ text: JSONText, named name: String, depth: Int = SceneLimits.treeDepth
    ) throws(SceneError) -> [SceneObject] {
        guard text.kind == .object else { throw .malformed(name) }
        return try text.bytes.withUnsafeBufferPointer { (buffer) throws(SceneError) in
            var parser = SceneObjectParser(text: text, buffer, name: name, depthLimit: depth)
            try parser.run()
            return parser.objects
        }
    }

    private let text: JSONText
    private let name: String
    private let depthLimit: Int
    private var scan: TrustedScan
    private var objects: [SceneObject] = []
    /// Positions of the objects that are open, outermost first.
    private var open: [Int] = []

    private init(
        text: JSONText, _ buffer: UnsafeBufferPointer<UInt8>, name: String, depthLimit: Int
    ) {
        self.text = text
        self.name = name
        self.depthLimit = depthLimit
        scan = TrustedScan(buffer)
    }

    private mutating func run() throws(SceneError) {
        try beginObject()
        var inChildren = false
        while let current = open.last {
            if inChildren {
                inChildren = try nextChild()
            } else if try nextMember(of: current) {
                inChildren = true
            } else if open.last != current {
                inChildren = !open.isEmpty
            }
        }
    }

    private mutating func beginObject() throws(SceneError) {
        guard objects.count < SceneLimits.objects else {
            throw .tooManyObjects(limit: SceneLimits.objects)
        }
        guard open.count < depthLimit else { throw .tooDeep(name, limit: depthLimit) }
        scan.position += 1
        objects.append(SceneObject(parent: open.last ?? 0))
        open.append(objects.count - 1)
    }

    /// In a list of children: begins the next object, steps over anything else, or ends the list.
    /// False: what follows are members.
    private mutating func nextChild() throws(SceneError) -> Bool {
        switch try scan.next() {
        case UInt8(ascii: "]"):
            scan.position += 1
            return false
        case UInt8(ascii: "{"):
            try beginObject()
            return false
        default:
            _ = try scan.value(named: name)
            return true
        }
    }

    /// Reads one member or ends the object. True: a list of children begins.
    private mutating func nextMember(of current: Int) throws(SceneError) -> Bool {
        switch try scan.next() {
        case UInt8(ascii: "}"):
            scan.position += 1
            objects[current].properties.append(UInt8(ascii: "}"))
            objects[current].properties.trimCapacity()
            objects[current].end = objects.count
            open.removeLast()
            return false
        case UInt8(ascii: "\""):
            let key = try scan.string()
            let first = try scan.next()
            if isKey(key, "children") { return try beginChildren(of: current, first) }
            if isKey(key, "uuid") {
                readUUID(of: current, try scan.value(named: name))
            } else {
                append(key, try scan.value(named: name), to: current)
            }
            return false
        default: throw .malformed(name)
        }
    }

    private mutating func beginChildren(of current: Int, _ first: UInt8) throws(SceneError) -> Bool
    {
        objects.removeSubrange((current + 1)...)
        guard first == UInt8(ascii: "[") else {
            _ = try scan.value(named: name)
            return false
        }
        scan.position += 1
        return true
    }

    private mutating func readUUID(of current: Int, _ value: Range<Int>) {
        let spelled = JSONText(unchecked: slice(value))
        objects[current].uuidText = spelled
        objects[current].uuid = spelled.string.flatMap {
            SceneObject.isAddressable($0) ? $0 : nil
        }
    }

    private mutating func append(_ key: Range<Int>, _ value: Range<Int>, to current: Int) {
        if objects[current].properties.count > 1 {
            objects[current].properties.append(UInt8(ascii: ","))
        }
        objects[current].properties += scan.bytes[key]
        objects[current].properties.append(UInt8(ascii: ":"))
        objects[current].properties += scan.bytes[value]
    }

    private func isKey(_ key: Range<Int>, _ name: StaticString) -> Bool {
        let spelled = scan.bytes[key].dropFirst().dropLast()
        if spelled.contains(UInt8(ascii: "\\")) {
            return JSONText(unchecked: slice(key)).string == name.description
        }
        return name.withUTF8Buffer { spelled.elementsEqual($0) }
    }

    private func slice(_ range: Range<Int>) -> ArraySlice<UInt8> {
        let start = text.bytes.startIndex
        return text.bytes[start + range.lowerBound..<start + range.upperBound]
    }
}

extension [UInt8] {
    /// Gives back what growing has reserved: a scene keeps the bytes of thousands of objects.
    fileprivate mutating func trimCapacity() {
        guard capacity > count + count / 4 else { return }
        self = withUnsafeBufferPointer { Array($0) }
    }
}
