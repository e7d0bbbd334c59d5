/// What one connection has in each of its namespaces: few, mostly one, so it is looked through one
/// by one. A dictionary of one takes twice the memory, and hashes the name for each packet.
package struct ByNamespace<Value> {
    private var entries: [(namespace: String, value: Value)] = []

    package init() {}

    package var count: Int { entries.count }

    /// In the order in which the namespaces were first given a value.
    package var values: some Sequence<Value> { entries.lazy.map(\.value) }

    package subscript(namespace: String) -> Value? {
        get { entries.first { $0.namespace == namespace }?.value }
        set {
            guard let index = entries.firstIndex(where: { $0.namespace == namespace }) else {
                if let newValue { entries.append((namespace, newValue)) }
                return
            }
            if let newValue {
                entries[index].value = newValue
            } else {
                entries.remove(at: index)
            }
        }
    }

    package mutating func removeAll() { entries = [] }
}

extension ByNamespace: Sendable where Value: Sendable {}
