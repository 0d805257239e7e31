import { messageOf, systemCodeOf } from "../../base/errors.ts";
import { retryAfterMs } from "../../base/retry-after.ts";
import type { ReleaseRegistryError } from "../release.ts";
import { failure } from "./registry-failure.ts";

export interface GrpcRefusal {
  /** For the message: the registry URL. */
  name: string;
  /** A status of gRPC ("Status codes and their use in gRPC"), written as in `DeadlineExceeded`. */
  code: string;
  /** What the server said, or what became of the connection. */
  said?: string;
  retryAfter?: string | undefined;
  deadlineMs: number;
  cause: unknown;
}

type Meaning = [code: ReleaseRegistryError["code"], words: string, hint: string];

const meanings: Record<string, Meaning> = {
  Unauthenticated: [
    "UNAUTHORIZED",
    "does not know who asks",
    "name a client certificate that the server accepts by ?cert= and &key= in the registry URL",
  ],
  PermissionDenied: [
    "UNAUTHORIZED",
    "refuses this host",
    "allow it on the server, or name another client certificate by ?cert= and &key=",
  ],
  NotFound: [
    "NOT_FOUND",
    "has no release for this host",
    "publish one, or check ?artifact= in the registry URL",
  ],
  ResourceExhausted: ["RATE_LIMITED", "is asked too often", "poll less often"],
  Unimplemented: [
    "INVALID_ANSWER",
    "does not speak dewy.RegistryService",
    "check host and port; the interface is in examples/grpc-registry/dewy.proto",
  ],
};

/** By the code that Node or OpenSSL gives a connection that failed. */
const connectionHints: [code: RegExp, hint: string][] = [
  [/ALTNAME/, "use the host name that the server's certificate is for"],
  [/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/, "renew the server's certificate, and check both clocks"],
  [
    /SELF_SIGNED|UNABLE_TO_|CERT_UNTRUSTED/,
    "name the certificate authority of the server by ?ca=/path/to/ca.pem in the registry URL",
  ],
  [
    /WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH/,
    "the server may speak no TLS: add ?no-tls=true to the registry URL where that is meant",
  ],
  [/ALERT|ERR_SSL/, "name a client certificate by ?cert= and &key= if the server asks for one"],
  [/ENOTFOUND|EAI_AGAIN/, "check the host name, and that this machine can resolve it"],
];
const reachable =
  "check that the server runs, that host and port are right, and whether it speaks TLS";

/** What a call that failed means to the port. */
export function grpcFailure(refusal: GrpcRefusal, now: Date): ReleaseRegistryError {
  const { name, code, said = "", retryAfter, deadlineMs, cause } = refusal;
  const details = { cause, retryAfterMs: retryAfterMs({ "retry-after": retryAfter }, now) };
  const words = said === "" ? "" : `: ${said.slice(0, 300).replace(/[:\s]+$/, "")}`;
  if (code === "DeadlineExceeded") {
    const message = `${name} did not answer within ${deadlineMs / 1000} s`;
    return failure("UNAVAILABLE", message, { ...details, hint: reachable });
  }
  const [ours, verb, hint] = Object.hasOwn(meanings, code) ? (meanings[code] ?? []) : [];
  if (ours) return failure(ours, `${name} ${verb} (${code})${words}`, { ...details, hint });
  return failure("UNAVAILABLE", `${name} failed (${code})${words}`, {
    ...details,
    hint: connectionHint(cause),
  });
}

function connectionHint(cause: unknown): string {
  const words = `${systemCodeOf(cause) ?? ""} ${messageOf(cause)}`.toUpperCase();
  return connectionHints.find(([code]) => code.test(words))?.[1] ?? reachable;
}
