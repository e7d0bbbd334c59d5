import JSON

/// A fog in the shape of three.js scene JSON.
///
/// Facts (three.js r180): `Fog.toJSON()` gives `{type: "Fog", name, color: hex, near, far}`,
/// `FogExp2.toJSON()` `{type: "FogExp2", name, color: hex, density}` (src/scenes/Fog.js,
/// FogExp2.js); `ObjectLoader` throws on `fog: null`, so no fog means no member. Neither class has
/// a `type` field: the browser client sends the constructor's name, which a minifier may have
/// changed, and on receipt goes by `near` and `density`; so does this.
struct ThreeFog {
    /// The value of the scene's `fog` member.
    let json: JSONValue

    /// The payload of a fog update; nil if it is neither kind of fog. The colour may also be the
    /// sRGB integer that `toJSON()` writes.
    init?(_ data: JSONText) {
        guard let color = Self.color(data["color"]) else { return nil }
        let name = JSONValue.string(data["name"]?.string ?? "")
        let type = data["type"]?.string
        if type == "Fog" || data["near"] != nil {
            guard let near = data["near"], let far = data["far"], near.double != nil,
                far.double != nil
            else { return nil }
            json = [
                "type": "Fog", "name": name, "color": .int(color), "near": .raw(near),
                "far": .raw(far),
            ]
        } else {
            guard let density = data["density"], density.double != nil else { return nil }
            json = [
                "type": "FogExp2", "name": name, "color": .int(color), "density": .raw(density),
            ]
        }
    }

    private static func color(_ data: JSONText?) -> Int64? {
        if let hex = data?.int { return (0...0xFF_FFFF).contains(hex) ? hex : nil }
        return LinearColor(data)?.sRGBHex
    }
}
