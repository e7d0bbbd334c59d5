/// The head of a server's answer to the opening handshake.
struct HandshakeAnswer {
    let status: Int
    let bodyStart: Int
    /// Whether the accept token is that of our key.
    let isAccepted: Bool

    /// Nil while the head is not whole.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let end = ByteSearch.find(Array("\r\n\r\n".utf8), in: bytes) else { return nil }
        bodyStart = end + 4
        let line = bytes.prefix(12)
        status = line.count == 12 ? Int(String(decoding: line.suffix(3), as: UTF8.self)) ?? 0 : 0
        let head = UnsafeRawBufferPointer(rebasing: bytes[..<end])
        isAccepted = ByteSearch.find(ServerAddress.acceptToken, in: head) != nil
    }

    /// The first cookie that is set, without its attributes.
    func cookie(in bytes: UnsafeRawBufferPointer) -> String? {
        let head = String(decoding: bytes[..<bodyStart], as: UTF8.self)
        for line in head.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":"),
                line[..<colon].lowercased() == "set-cookie"
            else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return String(value.prefix { $0 != ";" })
        }
        return nil
    }

    /// What came of the body, for people.
    func body(in bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes[bodyStart...].prefix(500), as: UTF8.self)
    }
}
