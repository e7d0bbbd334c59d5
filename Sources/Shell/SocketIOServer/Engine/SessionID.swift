import EngineIO

/// Ids of sessions: 120 random bits from the system, as 20 characters that need no escape in a
/// URL. Knowing one is being the client, so they must not be guessed.
enum SessionID {
    /// - Parameter prefix: tells a proxy which instance has the session; see
    ///   `ServerOptions.sessionIDPrefix`.
    static func make(prefix: String) -> String {
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<15).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let text = Base64.encode(bytes).utf8.map { character -> UInt8 in
            switch character {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: character
            }
        }
        return prefix + String(decoding: text, as: UTF8.self)
    }
}
