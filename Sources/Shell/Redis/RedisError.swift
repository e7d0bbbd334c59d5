/// Why a command has no reply.
package enum RedisError: Error, Hashable, Sendable {
    /// Not sent: there is no working connection. Fails at once.
    case unavailable(RedisProblem)
    /// Not sent: too much is in flight already (`RedisLimits.maxInFlightCommands`, `…Bytes`).
    case overloaded
    /// Not sent: the client has been closed.
    case closed
    /// Sent, not answered in time. It may have been carried out.
    case timeout
    /// Sent, then the connection ended. It may have been carried out.
    case connectionLost(RedisProblem)
    /// The server's error reply, for example `WRONGTYPE` and its text.
    case server(code: String, message: String)
    /// The server's reply to an opening command or script was not of the expected shape.
    case unexpectedReply(String)

    /// True when the server may have carried the command out all the same.
    package var isOutcomeUnknown: Bool {
        switch self {
        case .timeout, .connectionLost, .unexpectedReply: true
        case .unavailable, .overloaded, .closed, .server: false
        }
    }

    /// Reads an error line, `CODE message`; a line without a code in capitals gets `ERR`.
    package init(errorLine line: String) {
        let code = line.prefix { $0 != " " }
        let isCode =
            !code.isEmpty && code.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x5F }
        if isCode {
            self = .server(code: String(code), message: String(line.dropFirst(code.count + 1)))
        } else {
            self = .server(code: "ERR", message: line)
        }
    }
}

/// What is wrong with a connection or with the server behind it: a stable code for health pages
/// and metrics, and a sentence for the log. Never holds a credential.
package struct RedisProblem: Error, Hashable, Sendable {
    package enum Code: String, Sendable, CaseIterable {
        /// Refused, no route, name not found.
        case unreachable
        case connectTimeout = "connect_timeout"
        case connectionLost = "connection_lost"
        /// A command got no reply by its deadline: hung, or cut off.
        case timeout
        case tlsFailed = "tls_failed"
        case protocolError = "protocol_error"
        case authenticationFailed = "authentication_failed"
        case noPermission = "no_permission"
        case wrongDatabase = "wrong_database"
        case tooManyClients = "too_many_clients"
        case protectedMode = "protected_mode"
        /// The server still reads its data from disk.
        case loading
        /// A replica: it refuses writes.
        case readOnly = "read_only"
        case outOfMemory = "out_of_memory"
        /// MISCONF: the server cannot save to disk and refuses writes.
        case persistenceFailed = "persistence_failed"
        case notEnoughReplicas = "not_enough_replicas"
        case primaryDown = "primary_down"
        /// A script holds the server.
        case busy
        /// No Sentinel knows the primary.
        case noPrimary = "no_primary"
        /// The client's own probe is not heard on the pub/sub connection.
        case subscriptionSilent = "subscription_silent"
        case closed
        case refused
    }

    package let code: Code
    package let detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }
}

extension RedisProblem: CustomStringConvertible {
    package var description: String { "\(code.rawValue): \(detail)" }
}

extension RedisProblem {
    /// The problem that an error reply tells of, or nil where it concerns one command only.
    package init?(serverCode: String, message: String) {
        let code: Code
        switch serverCode {
        case "WRONGPASS", "NOAUTH": code = .authenticationFailed
        case "NOPERM": code = .noPermission
        case "LOADING": code = .loading
        case "READONLY": code = .readOnly
        case "OOM": code = .outOfMemory
        case "MISCONF": code = .persistenceFailed
        case "NOREPLICAS": code = .notEnoughReplicas
        case "MASTERDOWN": code = .primaryDown
        case "BUSY": code = .busy
        case "DENIED": code = .protectedMode
        case "ERR" where message.hasPrefix("max number of clients"): code = .tooManyClients
        default: return nil
        }
        self.init(code, "\(serverCode) \(message)")
    }
}
