import NIOCore
import Synchronization

/// The namespaces of a server by name.
package final class NamespaceTable: Sendable {
    private let namespaces = Mutex<[String: Namespace]>([:])
    let limits: SocketLimits
    private let make: @Sendable (String) -> Namespace
    let makeSocketID: @Sendable () -> String

    package init(
        loops: [any EventLoop], limits: SocketLimits,
        makeSocketID: @escaping @Sendable () -> String = SocketID.random,
        adapter: @escaping AdapterFactory
    ) {
        self.limits = limits
        self.makeSocketID = makeSocketID
        make = { name in Namespace(name: name, adapter: adapter(name, loops, limits)) }
        _ = obtain("/")
    }

    /// Nil if nobody asked for it before.
    subscript(name: String) -> Namespace? { namespaces.withLock { $0[name] } }

    /// Makes the namespace if it does not exist; a missing `/` in front is added.
    package func obtain(_ name: String) -> Namespace {
        let name = name.hasPrefix("/") ? name : "/" + name
        return namespaces.withLock { namespaces in
            if let namespace = namespaces[name] { return namespace }
            let namespace = make(name)
            namespaces[name] = namespace
            return namespace
        }
    }
}
