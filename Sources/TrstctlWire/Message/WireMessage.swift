internal import CProtobufC
internal import TrstctlSystem

/// The namespace of the protocol's messages, as `proto/` defines them.
package enum Wire {}

/// A Swift value that stands for one protobuf-c struct.
///
/// The generated conformances are the only place where protobuf-c's structs are touched; no pointer leaves it.
protocol WireMessage {
    associatedtype C

    /// Builds the value from an unpacked struct, taking over the memory of its byte fields.
    init(taking c: UnsafeMutablePointer<C>) throws(WireError)

    /// Initialises the struct and fills it; what it points to lives in the arena or in the value itself.
    func fill(_ c: UnsafeMutablePointer<C>, _ arena: inout Arena)
}

/// Takes over a byte field's memory, so that the content is copied once only, by the unpacking.
func takeBytes(_ field: inout ProtobufCBinaryData) -> Bytes {
    guard let data = field.data, field.len > 0 else { return Bytes() }
    let bytes = Bytes(adopting: UnsafeMutableRawPointer(data), count: field.len)
    field = ProtobufCBinaryData()
    return bytes
}

/// Copies a text field, refusing what is not UTF-8: text is never repaired, because the text that is checked must be
/// the text that was sent.
func takeText(_ field: inout ProtobufCBinaryData, _ name: String) throws(WireError) -> String {
    let buffer = UnsafeRawBufferPointer(start: field.data, count: field.data == nil ? 0 : field.len)
    guard let text = String(validating: buffer.bindMemory(to: UInt8.self), as: UTF8.self) else {
        throw WireError(.invalidText, "the text in \(name) is not UTF-8")
    }
    return text
}
