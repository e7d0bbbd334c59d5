import NIOHTTP1
import SocketIOServer
import Web

/// The page for people: `/`, its parts below `/assets/`, and the stock Socket.IO client.
extension HTTPAPI {
    /// Where the page asks for the stock client: below the path of Socket.IO, as Node's server
    /// has it. Nothing else there is a file.
    static let clientPath = "/socket.io/socket.io.min.js"

    /// Every file by its path. Names have no hash here, so a browser asks each time whether it has
    /// the newest; an unchanged one costs a 304.
    static let pageFiles: [String: StaticFile] = Dictionary(
        uniqueKeysWithValues: Web.files.map { file in
            let served = StaticFile(
                contentType: file.contentType, cacheControl: "no-cache", bytes: file.bytes)
            return (file.path, served)
        })

    func pageFile(_ path: String, _ request: HTTPRequest) -> HTTPResponse {
        guard let file = Self.pageFiles[path] else {
            return .error(.notFound, code: "NOT_FOUND", message: "No such path")
        }
        var headers: HTTPHeaders = [:]
        if path == "/" {
            headers.add(name: "content-security-policy", value: contentSecurityPolicy)
            headers.add(name: "referrer-policy", value: "strict-origin-when-cross-origin")
        }
        return file.response(to: request, headers: headers)
    }

    /// No script, style or picture but this server's own; connections to its cluster only, since a
    /// client may be sent to the instance that owns its room.
    private var contentSecurityPolicy: String {
        let nodes = source.instance().nodes.map(\.url).filter(Self.isPlainURL).flatMap { url in
            [url, "ws" + url.dropFirst("http".count)]
        }
        let connect = (["'self'"] + nodes).joined(separator: " ")
        return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            + "connect-src \(connect); base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    }

    /// Whether a configured URL can stand in a policy without ending it.
    private static func isPlainURL(_ url: String) -> Bool {
        url.hasPrefix("http")
            && !url.utf8.contains { $0 <= 0x20 || $0 >= 0x7f || $0 == 0x3b || $0 == 0x2c }
    }

    func clientFile(_ request: HTTPRequest) -> HTTPResponse {
        guard let file = options.clientFile else {
            return .error(
                .notFound, code: "CLIENT_MISSING",
                message: "The Socket.IO client is not installed here: run scripts/fetch-client.sh,"
                    + " or put socket.io.min.js into CLIENT_DIR, and restart")
        }
        return file.response(to: request)
    }
}
