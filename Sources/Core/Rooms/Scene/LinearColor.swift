import JSON

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A colour in linear light, as `THREE.Color` holds it.
///
/// Facts (three.js r180): `Color` keeps r, g, b in the linear working space; `Color.toJSON()` is
/// `getHex()`, which turns each into sRGB and gives `round(clamp(255 c, 0, 255))`, red highest
/// (src/math/Color.js); the transfer is 12.92 c below 0.0031308, else 1.055 c^0.41666 - 0.055
/// (`LinearToSRGB`, src/math/ColorManagement.js); `ObjectLoader` reads the integer back as sRGB.
struct LinearColor {
    var red: Double
    var green: Double
    var blue: Double

    /// `{r, g, b}`; nil if one is missing or no finite number.
    init?(_ data: JSONText?) {
        guard let red = data?["r"]?.double, let green = data?["g"]?.double,
            let blue = data?["b"]?.double
        else { return nil }
        (self.red, self.green, self.blue) = (red, green, blue)
    }

    /// The payload of a background update, `{type: "Color", r, g, b}`.
    init?(background data: JSONText) {
        guard data["type"]?.string == "Color" else { return nil }
        self.init(data)
    }

    /// The colour of which this is the `sRGBHex`.
    init(sRGBHex hex: Int64) {
        red = Self.linear(hex >> 16 & 0xFF)
        green = Self.linear(hex >> 8 & 0xFF)
        blue = Self.linear(hex & 0xFF)
    }

    private static func linear(_ byte: Int64) -> Double {
        let encoded = Double(byte) / 255
        return encoded < 0.040_449 ? encoded / 12.92 : pow((encoded + 0.055) / 1.055, 1 / 0.41666)
    }

    /// 0x000000 to 0xFFFFFF.
    var sRGBHex: Int64 { Self.byte(red) << 16 | Self.byte(green) << 8 | Self.byte(blue) }

    private static func byte(_ linear: Double) -> Int64 {
        let encoded = linear < 0.003_130_8 ? linear * 12.92 : 1.055 * pow(linear, 0.41666) - 0.055
        return Int64((min(max(encoded * 255, 0), 255) + 0.5).rounded(.down))
    }
}
