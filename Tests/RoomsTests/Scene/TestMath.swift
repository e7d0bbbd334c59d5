import Foundation

func powForTest(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
