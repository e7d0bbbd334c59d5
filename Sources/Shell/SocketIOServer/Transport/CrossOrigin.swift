import NIOHTTP1

/// The CORS headers of an answer: the exact origin, never `*`, since cookies travel.
struct CrossOrigin: Sendable {
    /// The request's `Origin`, where it has one.
    let origin: String?
    let isAllowed: Bool

    init(_ headers: HTTPHeaders, allows: (String) -> Bool) {
        origin = headers.first(name: "origin")
        isAllowed = origin.map(allows) ?? true
    }

    /// Adds the headers that let a page of an allowed origin read the answer.
    func apply(to headers: inout HTTPHeaders) {
        headers.remove(name: "access-control-allow-origin")
        headers.remove(name: "access-control-allow-credentials")
        guard let origin else { return }
        headers.add(name: "vary", value: "Origin")
        guard isAllowed else { return }
        headers.add(name: "access-control-allow-origin", value: origin)
        headers.add(name: "access-control-allow-credentials", value: "true")
    }

    /// The answer to a preflight.
    static var preflight: HTTPResponse {
        HTTPResponse(
            status: .noContent,
            headers: [
                "access-control-allow-methods": "GET, POST, OPTIONS",
                "access-control-allow-headers": "Content-Type, Authorization",
                "access-control-max-age": "86400",
                "allow": "GET, HEAD, POST, OPTIONS",
            ])
    }
}
