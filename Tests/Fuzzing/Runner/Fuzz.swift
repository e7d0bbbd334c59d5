import Foundation

/// The fuzzer: libFuzzer's driver on one target, which FUZZ_TARGET names (an argument would not
/// reach the processes that the driver starts for `-merge`). Without it: a list of all.
@main
struct Fuzz {
    static func main() {
        guard let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] else {
            for target in FuzzTarget.all { print(target.name, target.maxBytes) }
            return
        }
        guard let target = (FuzzTarget.all + [.planted]).first(where: { $0.name == name }) else {
            print("no target \(name)")
            exit(2)
        }
        chosen = target
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(runDriver(&count, &arguments, runOne))
    }
}

/// Set once, before the driver starts.
nonisolated(unsafe) private var chosen = FuzzTarget.planted

/// A finding ends the process as a trap does, so that the driver keeps the input.
private func runOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try chosen.run(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        print("finding: \(error)")
        fflush(nil)
        abort()
    }
    return 0
}

/// Source: LLVM compiler-rt/lib/fuzzer, `FuzzerInterface.h`.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
