import COpenSSL
import TrstctlSystem

extension Bytes {
    /// Copies what a memory BIO holds; the BIO stays the caller's, and wipes its buffer when it is freed.
    init(contentsOf buffer: OpaquePointer, isSecret: Bool) {
        var start: UnsafeMutablePointer<CChar>?
        let count = trstctl_BIO_get_mem_data(buffer, &start)
        guard count > 0, let start else {
            self.init()
            return
        }
        self.init(copying: UnsafeRawBufferPointer(start: start, count: count), isSecret: isSecret)
    }
}
