/// Refusals of a request, with the numbers of the protocol's reference server.
///
/// The body of the answer is `{"code":1,"message":"Session ID unknown"}`.
package enum RequestError: Int, Error, Sendable, Hashable, CaseIterable {
    case unknownTransport = 0
    case unknownSession = 1
    case badHandshakeMethod = 2
    case badRequest = 3
    case forbidden = 4
    case unsupportedProtocolVersion = 5

    package var message: String {
        switch self {
        case .unknownTransport: "Transport unknown"
        case .unknownSession: "Session ID unknown"
        case .badHandshakeMethod: "Bad handshake method"
        case .badRequest: "Bad request"
        case .forbidden: "Forbidden"
        case .unsupportedProtocolVersion: "Unsupported protocol version"
        }
    }

    package var httpStatus: Int {
        self == .forbidden ? 403 : 400
    }
}
