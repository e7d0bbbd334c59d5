import JSON

extension ObjectTree {
    /// Appends the subtree as three.js object JSON. `rootMembers`: further members of the first
    /// node, which must be addressable, spelled with a comma before each.
    func write(_ slot: Slot, rootMembers: [UInt8] = [], into output: inout [UInt8]) {
        walk(
            from: slot,
            enter: { found, node in
                if found != slot, node.previous != Self.none { output.append(UInt8(ascii: ",")) }
                writeProperties(of: node, into: &output)
                if found == slot { output += rootMembers }
                if node.firstChild != Self.none {
                    let isBare = output.last == UInt8(ascii: "{")
                    output += (isBare ? #""children":["# : #","children":["#).utf8
                }
            },
            leave: { found in
                if self[found].firstChild != Self.none { output.append(UInt8(ascii: "]")) }
                output.append(UInt8(ascii: "}"))
            })
    }

    /// Everything of the node's object but its end and its children.
    private func writeProperties(of node: Node, into output: inout [UInt8]) {
        guard let uuid = node.uuid else {
            output += node.properties[..<(node.properties.count - 1)]
            return
        }
        output += #"{"uuid":"#.utf8
        JSONValue.string(uuid).write(into: &output)
        guard node.properties.count > 2 else { return }
        output.append(UInt8(ascii: ","))
        output += node.properties[1..<(node.properties.count - 1)]
    }

    /// Appends `{uuid, children: [{uuid, children}…]}` of the whole tree.
    ///
    /// The browser client deletes from a received scene all scripts whose key it does not find as a
    /// `uuid` in such a tree (R29); it reads nothing else there.
    func writeOutline(into output: inout [UInt8]) {
        walk(
            from: root,
            enter: { found, node in
                if node.previous != Self.none { output.append(UInt8(ascii: ",")) }
                output.append(UInt8(ascii: "{"))
                if let uuid = node.uuid {
                    output += #""uuid":"#.utf8
                    JSONValue.string(uuid).write(into: &output)
                    output.append(UInt8(ascii: ","))
                }
                output += #""children":["#.utf8
            },
            leave: { _ in output += "]}".utf8 })
    }
}
