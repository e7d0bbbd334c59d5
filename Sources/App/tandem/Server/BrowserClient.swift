import Foundation
import HTTPAPI

/// The stock Socket.IO client for browsers, from the folder that set-up fills; no part of this
/// program (docs/DEPLOYMENT.md).
struct BrowserClient {
    static let name = "socket.io.min.js"
    /// Ten times what it has. A longer file is not it, and is not served.
    static let maxBytes = 512 * 1024

    /// Nil where the folder has no such file.
    let file: StaticFile?

    /// Reads the file, once.
    init(folder: String) {
        let path = folder + "/" + Self.name
        guard let data = FileManager.default.contents(atPath: path), !data.isEmpty,
            data.count <= Self.maxBytes
        else {
            file = nil
            return
        }
        file = StaticFile(
            contentType: "text/javascript; charset=utf-8", cacheControl: "public, max-age=86400",
            bytes: Array(data))
    }
}
