/// A date as JavaScript's `toJSON` spells it: `2024-02-29T12:30:00.000Z`.
enum ISODate {
    /// Largest distance from 1970 that a JavaScript date has, in milliseconds.
    private static let maxMilliseconds = 8.64e15

    /// Nil beyond the range of JavaScript's dates, for which it writes null.
    static func text(milliseconds: Double) -> String? {
        guard milliseconds.magnitude <= maxMilliseconds else { return nil }
        let total = Int64(milliseconds)
        let (days, ofDay) = floorDivide(total, 86_400_000)
        let (year, month, day) = civil(days)
        let time =
            "T\(pad(ofDay / 3_600_000)):\(pad(ofDay / 60_000 % 60)):\(pad(ofDay / 1_000 % 60))"
        return "\(yearText(year))-\(pad(month))-\(pad(day))\(time).\(pad(ofDay % 1_000, 3))Z"
    }

    private static func yearText(_ year: Int64) -> String {
        if 0...9_999 ~= year { return pad(year, 4) }
        return (year < 0 ? "-" : "+") + pad(abs(year), 6)
    }

    private static func pad(_ value: Int64, _ width: Int = 2) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    /// The proleptic Gregorian date of a day counted from 1970-01-01, by eras of 400 years that
    /// begin on 1 March.
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}
