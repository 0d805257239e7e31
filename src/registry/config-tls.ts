import * as v from "valibot";

const path = v.pipe(v.string("write the path of a file"), v.nonEmpty("write the path of a file"));

/** Go's names, which `ciphersuites` uses, with OpenSSL's; only suites that are still thought safe. */
export const cipherSuites = {
  TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
  TLS_AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
  TLS_CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: "ECDHE-ECDSA-AES128-SHA",
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: "ECDHE-RSA-AES128-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: "ECDHE-ECDSA-AES256-SHA",
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: "ECDHE-RSA-AES256-SHA",
} as const;
export type CipherSuite = keyof typeof cipherSuites;
const suiteNames = Object.keys(cipherSuites) as CipherSuite[];

export const clientAuthKinds = [
  "request-client-cert",
  "require-any-client-cert",
  "verify-client-cert-if-given",
  "require-and-verify-client-cert",
] as const;

export const Tls = v.pipe(
  v.strictObject({
    certificate: path,
    key: path,
    clientcas: v.optional(v.array(path, "write a list of files"), []),
    clientauth: v.optional(v.picklist(clientAuthKinds)),
    /** What came before these is broken (RFC 8996). */
    minimumtls: v.optional(v.picklist(["tls1.2", "tls1.3"]), "tls1.2"),
    ciphersuites: v.optional(
      v.pipe(v.array(v.picklist(suiteNames), "write a list"), v.minLength(1, "name a suite")),
    ),
    /** Refused, with what to do instead; an empty section asks for nothing, as in Distribution. */
    letsencrypt: v.optional(
      v.pipe(
        v.record(v.string(), v.unknown()),
        v.check(
          (asked) => Object.keys(asked).length === 0,
          "this registry fetches no certificates itself: name the files that an ACME client, such as certbot, keeps renewed; they are read again within seconds",
        ),
      ),
    ),
  }),
  v.forward(
    v.check(
      ({ clientauth, clientcas }) => clientauth === undefined || clientcas.length > 0,
      "set http.tls.clientcas as well: without it, nobody is asked for a certificate",
    ),
    ["clientauth"],
  ),
);
export type Tls = v.InferOutput<typeof Tls>;
