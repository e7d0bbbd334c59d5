import NIOCore
import SocketIOServer

/// `/`: what a person sees who opens an instance in a browser.
extension HTTPAPI {
    func page() -> HTTPResponse {
        let instance = source.instance()
        let health = source.health()
        let reasons = health.reasons.map { "<li>\($0.message.htmlEscaped)</li>" }.joined()
        let links = Self.links.map { "<li><a href=\"\($0)\">\($0)</a></li>" }.joined()
        let nodes = instance.nodes.map { node in
            "<li><a href=\"\(node.url.htmlEscaped)\">\(node.id.htmlEscaped)</a>: "
                + "\(node.state.htmlEscaped)</li>"
        }.joined()
        let body = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Tandem: \(instance.id.htmlEscaped)</title>
            <style>\(Self.style)</style>
            </head>
            <body>
            <main>
            <h1>Tandem</h1>
            <p>This is <strong>\(instance.id.htmlEscaped)</strong>, version \
            \(instance.version.htmlEscaped). It is \
            <strong>\(health.status.rawValue)</strong>.</p>
            \(reasons.isEmpty ? "" : "<ul>\(reasons)</ul>")
            <h2>Instances</h2>
            <ul>\(nodes)</ul>
            <h2>Look inside</h2>
            <ul>\(links)</ul>
            <p>Clients connect with any Socket.IO client, path <code>/socket.io/</code>.</p>
            </main>
            </body>
            </html>

            """
        return HTTPResponse(
            headers: [
                "content-type": "text/html; charset=utf-8",
                "content-security-policy":
                    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
            ], body: ByteBuffer(string: body))
    }

    private static let links = [
        "/api/health", "/api/ready", "/api/instance", "/api/stats", "/api/all-rooms", "/metrics",
    ]

    private static let style =
        "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:40rem;padding:0 1rem;"
        + "color-scheme:light dark}"
}

extension String {
    /// The text with what HTML reads as markup, in elements and quoted attributes, replaced.
    var htmlEscaped: String {
        reduce(into: "") { escaped, character in
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(character)
            }
        }
    }
}
