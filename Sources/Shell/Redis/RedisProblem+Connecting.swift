import NIOCore
import NIOPosix
import NIOSSL

extension RedisProblem {
    /// What an error of the transport means.
    init(connecting error: any Error, elseCode: Code) {
        switch error {
        case let problem as RedisProblem:
            self = problem
        case let error as RedisError:
            self.init(error)
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            self.init(.tlsFailed, "\(error)")
        case ChannelError.connectTimeout:
            self.init(.connectTimeout, "no answer to the connection request")
        case let error as NIOConnectionError:
            self.init(.unreachable, Self.detail(of: error))
        default:
            self.init(elseCode, "\(error)")
        }
    }

    private init(_ error: RedisError) {
        switch error {
        case .unavailable(let problem), .connectionLost(let problem): self = problem
        case .timeout: self.init(.timeout, "a command was not answered in time")
        case .server(let code, let message):
            self =
                RedisProblem(serverCode: code, message: message)
                ?? RedisProblem(.refused, "\(code) \(message)")
        case .overloaded: self.init(.refused, "too much is in flight")
        case .closed: self.init(.closed, "closed")
        case .unexpectedReply(let text): self.init(.protocolError, text)
        }
    }

    private static func detail(of error: NIOConnectionError) -> String {
        if error.connectionErrors.isEmpty {
            return "\(error.host):\(error.port): the name was not found"
        }
        let causes = error.connectionErrors.map { "\($0.target): \($0.error)" }
        return causes.joined(separator: "; ")
    }
}
