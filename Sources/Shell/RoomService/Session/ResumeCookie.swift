import Secrets
import SocketIOServer

/// The cookie by which a returning browser is recognised, whichever instance it reaches.
///
/// 128 random bits in hexadecimal, given out with the answer that opens a connection; rooms keep
/// only its hash (`credential`). Without the cookie a protected room asks for the password again
/// after a failover, and a host does not get the role back.
package enum ResumeCookie {
    package static let name = "tandem_resume"
    /// 12 hours, renewed with each connection.
    package static let maxAgeSeconds = 43_200

    /// The token of a request: its cookie, or the one that the answer will set.
    package static func token(of request: HandshakeRequest) -> String {
        if let token = request.cookie(name), isValid(token) { return token }
        return request.freshToken
    }

    /// What rooms know of a token.
    package static func credential(of token: String) -> String {
        String(Digest.sha256Hex(token).prefix(32))
    }

    /// The value of `Set-Cookie` for the answer to a request.
    package static func header(token: String, isSecure: Bool) -> String {
        "\(name)=\(token); Path=/; Max-Age=\(maxAgeSeconds); HttpOnly; SameSite=Lax"
            + (isSecure ? "; Secure" : "")
    }

    package static func isValid(_ token: String) -> Bool {
        token.utf8.count == 32
            && token.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }
}
