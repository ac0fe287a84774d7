import TrstctlSystem

/// A descriptor with several owners, closed when the last one goes away.
final class SharedDescriptor: Sendable {
    let descriptor: OwnedDescriptor

    init(_ number: Int32) {
        descriptor = OwnedDescriptor(number)
    }

    var raw: Int32 { descriptor.raw }
}
