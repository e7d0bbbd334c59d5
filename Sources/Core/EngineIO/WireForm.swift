/// How the packets of one session are spelled.
package enum WireForm: Sendable, Hashable {
    /// Engine.IO 4: payloads with separators; a binary frame is a message and nothing else.
    case four
    /// Engine.IO 3: payloads with lengths; a binary packet begins with its type as a number.
    case three
    /// Engine.IO 3 for a client that takes text only (`b64=1`): binaries as `b4` and base64.
    case threeInText

    /// - Parameter b64: the query item of that name of the request that opened the session.
    package init(_ revision: ProtocolRevision, b64: String?) {
        switch revision {
        case .four: self = .four
        case .three: self = b64.map(\.isEmpty) ?? true ? .three : .threeInText
        }
    }

    package var revision: ProtocolRevision {
        switch self {
        case .four: .four
        case .three, .threeInText: .three
        }
    }
}
