import { ConfigError } from "../../base/errors.ts";
import { isLoopback } from "../../oci/reference.ts";
import { decoded, type NotifierLocation } from "./location.ts";

/** How the server is spoken to: TLS from the first byte, before anything else, or not at all. */
export type MailSecurity = "implicit" | "starttls" | "none";

/** Where mail is handed in. */
export interface MailRoute {
  /** An IPv6 address without its brackets. */
  host: string;
  port: number;
  security: MailSecurity;
  /** For errors: `host:port`. */
  server: string;
}

/** What stands between `://` and the query. */
export interface MailPlace {
  host: string | undefined;
  port: number | undefined;
  recipients: string | undefined;
}

const submissionPort = 587;
/** RFC 8314, 3.3 */
const implicitPort = 465;

/** `host[:port]/recipient`, each of which the query may say instead. @throws {ConfigError} */
export function parsePlace({ scheme, place }: NotifierLocation): MailPlace {
  const [authority = "", ...path] = place.split("/");
  if (authority.includes("@")) {
    throw new ConfigError(`--notifier: ${scheme}:// takes nothing with an @ before the host`, {
      hint: `write ${scheme}://host:port/recipient, and set MAIL_USERNAME and MAIL_PASSWORD`,
    });
  }
  const { host, port } = /^(?<host>\[[\da-f:.]+\]|[^:[\]]*)(?::(?<port>\d+))?$/i.exec(authority)
    ?.groups ?? { host: ":" };
  const recipients = decoded(path.join("/")).replace(/\/+$/, "");
  return {
    host: host === "" ? undefined : checkedHost(host ?? ""),
    port: port === undefined ? undefined : checkedPort(port),
    recipients: recipients === "" ? undefined : recipients,
  };
}

/** @throws {ConfigError} */
export function checkedHost(text: string): string {
  const bracketed = text.includes(":") && !text.startsWith("[") ? `[${text}]` : text;
  if (/^(?:\[[\da-f:.]+\]|[\w.-]+)$/i.test(bracketed) && URL.canParse(`smtp://${bracketed}`)) {
    return bracketed.replace(/^\[|\]$/g, "");
  }
  throw new ConfigError("--notifier: this is not the host of a mail server", {
    hint: "write it as mail://host:port/recipient, such as mail://smtp.example.com:587/me@example.com",
  });
}

/** @throws {ConfigError} */
export function checkedPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new ConfigError("--notifier: this is not the port of a mail server", {
    hint: "write a number from 1 to 65535: 587 for STARTTLS, 465 for TLS from the start, 25 for a relay",
  });
}

/** With `yes`, TLS from the first byte is what the port 465 stands for. */
export function routeTo(
  host: string,
  givenPort: number | undefined,
  tls: "yes" | "no" | "implicit",
): MailRoute {
  const port = givenPort ?? (tls === "implicit" ? implicitPort : submissionPort);
  const server = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (tls === "no") return { host, port, server, security: "none" };
  const isImplicit = tls === "implicit" || port === implicitPort;
  return { host, port, server, security: isImplicit ? "implicit" : "starttls" };
}

/** Whether others on the way can read what is sent. */
export function isOpenToOthers({ security, server }: MailRoute): boolean {
  return security === "none" && !isLoopback(server);
}

/**
 * The one of both that is given.
 *
 * @throws {ConfigError} when the URL says two different things
 */
export function oneOf<Value>(
  what: string,
  inPlace: Value | undefined,
  inQuery: Value | undefined,
): Value | undefined {
  if (inPlace === undefined || inQuery === undefined || inPlace === inQuery) {
    return inPlace ?? inQuery;
  }
  throw new ConfigError(`--notifier: the URL names two different values for ${what}`, {
    hint: `leave ${what} out of the query, or out of what is before it`,
  });
}
