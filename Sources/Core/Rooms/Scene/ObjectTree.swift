/// The objects of a scene: each with its own properties, found by uuid, and linked to its parent
/// and siblings, so that any change costs what it changes and not what the scene holds.
///
/// Nodes only ever get a parent when they are inserted or moved out of a subtree that ends, so
/// there are no cycles.
struct ObjectTree {
    typealias Slot = Int32

    struct Node {
        /// Nil: kept in its place, but not addressable.
        var uuid: String?
        /// A JSON object without `children`, and without `uuid` if the node is addressable.
        var properties: [UInt8]
        /// Of the entry that last set the properties.
        var version: UInt64
        fileprivate(set) var parent = ObjectTree.none
        fileprivate(set) var previous = ObjectTree.none
        fileprivate(set) var next = ObjectTree.none
        fileprivate(set) var firstChild = ObjectTree.none
        fileprivate(set) var lastChild = ObjectTree.none

        var byteCount: Int { properties.count + (uuid?.utf8.count ?? 0) }
    }

    static let none: Slot = -1

    private var nodes: [Node] = []
    private var free: [Slot] = []
    private var slots: [String: Slot] = [:]
    private(set) var root = none
    /// Bytes of all properties and uuids.
    private(set) var byteCount = 0
    /// Nodes read or changed since the tree was made: the cost of what was done.
    private(set) var visits = 0

    var count: Int { nodes.count - free.count }
    var isEmpty: Bool { root == Self.none }

    subscript(_ slot: Slot) -> Node { nodes[Int(slot)] }

    func slot(of uuid: String) -> Slot? { slots[uuid] }

    /// Levels from the root, which is level 1.
    func depth(of slot: Slot) -> Int {
        var depth = 0
        var slot = slot
        while slot != Self.none {
            depth += 1
            slot = self[slot].parent
        }
        return depth
    }

    /// Adds a node as the last child of `parent`, or as the root of an empty tree. A uuid that
    /// another node has already is the caller's error: that node could no longer be found.
    @discardableResult
    mutating func insert(
        uuid: String?, properties: [UInt8], version: UInt64, under parent: Slot = none
    ) -> Slot {
        let node = Node(uuid: uuid, properties: properties, version: version)
        visits += 1
        byteCount += node.byteCount
        let slot: Slot
        if let reused = free.popLast() {
            slot = reused
            nodes[Int(slot)] = node
        } else {
            slot = Slot(nodes.count)
            nodes.append(node)
        }
        if let uuid { slots[uuid] = slot }
        if parent == Self.none { root = slot } else { link(slot, under: parent) }
        return slot
    }

    mutating func update(_ slot: Slot, properties: [UInt8], version: UInt64) {
        visits += 1
        byteCount += properties.count - nodes[Int(slot)].properties.count
        nodes[Int(slot)].properties = properties
        nodes[Int(slot)].version = version
    }

    mutating func rename(_ slot: Slot, to uuid: String) {
        visits += 1
        if let old = self[slot].uuid { slots[old] = nil }
        byteCount += uuid.utf8.count - (self[slot].uuid?.utf8.count ?? 0)
        nodes[Int(slot)].uuid = uuid
        slots[uuid] = slot
    }

    /// Makes the node the last child of `parent`, which must not be one of its descendants.
    mutating func move(_ slot: Slot, under parent: Slot) {
        visits += 1
        unlink(slot)
        link(slot, under: parent)
    }

    /// Removes the node and its descendants, each handed to `body`.
    mutating func remove(_ slot: Slot, _ body: (Node) -> Void) {
        if slot == root { root = Self.none } else { unlink(slot) }
        for gone in subtree(of: slot) {
            let node = self[gone]
            visits += 1
            byteCount -= node.byteCount
            if let uuid = node.uuid { slots[uuid] = nil }
            nodes[Int(gone)] = Node(uuid: nil, properties: [], version: 0)
            free.append(gone)
            body(node)
        }
    }

    /// The node and its descendants, each before its children.
    func subtree(of slot: Slot) -> [Slot] {
        var list: [Slot] = []
        walk(from: slot, enter: { found, _ in list.append(found) }, leave: { _ in })
        return list
    }

    /// Visits a subtree without recursion: `enter` before the children of a node, `leave` after.
    func walk(from top: Slot, enter: (Slot, Node) -> Void, leave: (Slot) -> Void) {
        guard top != Self.none else { return }
        var current = top
        while true {
            let node = self[current]
            enter(current, node)
            if node.firstChild != Self.none {
                current = node.firstChild
                continue
            }
            while true {
                leave(current)
                if current == top { return }
                let left = self[current]
                if left.next != Self.none {
                    current = left.next
                    break
                }
                current = left.parent
            }
        }
    }

    private mutating func link(_ slot: Slot, under parent: Slot) {
        let last = self[parent].lastChild
        nodes[Int(slot)].parent = parent
        nodes[Int(slot)].previous = last
        nodes[Int(slot)].next = Self.none
        nodes[Int(parent)].lastChild = slot
        if last == Self.none {
            nodes[Int(parent)].firstChild = slot
        } else {
            nodes[Int(last)].next = slot
        }
    }

    private mutating func unlink(_ slot: Slot) {
        let node = self[slot]
        if node.previous == Self.none {
            nodes[Int(node.parent)].firstChild = node.next
        } else {
            nodes[Int(node.previous)].next = node.next
        }
        if node.next == Self.none {
            nodes[Int(node.parent)].lastChild = node.previous
        } else {
            nodes[Int(node.next)].previous = node.previous
        }
    }
}
