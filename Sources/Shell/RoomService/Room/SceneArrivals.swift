/// When the last change of a room's scene came to this instance, and the last by somebody else than
/// its author: the time since which members have been sent it. In `elapsedMilliseconds`.
struct SceneArrivals {
    private static let never = Int64.min / 2

    private var author = ""
    private var latest = never
    private var others = never

    mutating func note(_ author: String, at now: Int64) {
        if author != self.author {
            others = latest
            self.author = author
        }
        latest = now
    }

    func last(apartFrom memberID: String) -> Int64 { memberID == author ? others : latest }
}
