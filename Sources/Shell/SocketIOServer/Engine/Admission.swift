import NIOHTTP1

/// Whether a new session is taken in.
public enum Admission: Sendable {
    /// The session is opened.
    case accept
    /// Answered at once over HTTP, also where the client asked for a WebSocket.
    case refuse(Refusal)

    /// `.refuse` with the body `{"code":4,"message":"…"}` of the Engine.IO protocol.
    public static func refuse(
        status: HTTPResponseStatus, code: Int = 4, message: String,
        headers: [(String, String)] = []
    ) -> Admission {
        .refuse(Refusal(status: status, code: code, message: message, headers: headers))
    }

    /// An answer in place of a session.
    public struct Refusal: Sendable {
        /// The HTTP status.
        public var status: HTTPResponseStatus
        /// Engine.IO error code of the body; 4 is "Forbidden".
        public var code: Int
        /// The text of the body.
        public var message: String
        /// Headers beside those of every answer, such as `retry-after`.
        public var headers: [(String, String)]

        /// An answer with the body `{"code":…,"message":…}`.
        public init(
            status: HTTPResponseStatus, code: Int = 4, message: String,
            headers: [(String, String)] = []
        ) {
            self.status = status
            self.code = code
            self.message = message
            self.headers = headers
        }
    }
}
