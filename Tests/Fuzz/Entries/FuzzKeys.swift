/// The public keys with which the corpus was signed; their private halves are nowhere.
enum FuzzKeys {
    static let texts = [
        """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1EPaYOyLi55zcmw0GPbDVajeEf9R
        wYVVT6KX4FLfYF82egXNtg8UwN0Eiyljvc+rLbbvisx0fdSugQ2/QrZmtQ==
        -----END PUBLIC KEY-----

        """,
        """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAiDyxPFHl3rN6MKfgSPr8XKWHBQDS089kTrfnLU9HkOg=
        -----END PUBLIC KEY-----

        """,
        """
        untrusted comment: minisign public key 6CA74825F663C5FB
        RWT7xWP2JUinbBvCT+ms2ejuJ4XLUTvUujRzdfchoVOJhqjxJD82hfyH

        """,
    ]
}
