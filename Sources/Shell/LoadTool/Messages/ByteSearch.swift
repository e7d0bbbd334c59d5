import Glibc

/// Text in bytes.
enum ByteSearch {
    /// Where `text` first begins; nil if it does not occur.
    static func find(_ text: [UInt8], in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress, let first = text.first else { return nil }
        var position = 0
        while bytes.count - position >= text.count {
            let found = memchr(base + position, Int32(first), bytes.count - position)
            guard let found else { return nil }
            position = UnsafeRawPointer(found) - base
            guard bytes.count - position >= text.count else { return nil }
            if memcmp(base + position, text, text.count) == 0 { return position }
            position += 1
        }
        return nil
    }
}
