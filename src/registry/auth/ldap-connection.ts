import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type SecureContext } from "node:tls";
import type { Client } from "ldapts";
import { type Call, orAborted, withTimeout } from "../../base/call.ts";
import type { Secret } from "../../base/secret.ts";

/** One server, and how it is spoken to. */
export interface LdapServer {
  url: string;
  starttls: boolean;
  secureContext: SecureContext;
  timeoutMs: number;
}

/** An entry with all the values of the attributes that were asked for. */
export interface LdapEntry {
  dn: string;
  valuesOf(attribute: string): readonly string[];
}

export interface LdapSearch {
  base: string;
  filter: string;
  attributes: readonly string[];
  /** As many entries at the most; the server may have more. */
  most: number;
}

/** A connection of an LDAP client (RFC 4511), for as long as one question takes. */
export interface LdapConnection {
  /** Whether the server takes them for that user; an empty password is nobody's (RFC 4513, 5.1.2). */
  bind(dn: string, password: Secret): Promise<boolean>;
  search(search: LdapSearch): Promise<LdapEntry[]>;
}

/** What a server says of somebody it does not let in now, whatever the reason (RFC 4511, A.1). */
const refusals = new Set([19, 32, 34, 48, 49, 50, 53]);

/** Connects, does `work`, and hangs up; all of it within the server's time limit. */
export async function withLdapConnection<Result>(
  server: LdapServer,
  call: Call,
  work: (connection: LdapConnection) => Promise<Result>,
): Promise<Result> {
  const { Client, ResultCodeError } = await import("ldapts");
  const sockets: Socket[] = [];
  const { url, timeoutMs } = server;
  const client = new Client({
    ...{ url, timeout: timeoutMs, connectTimeout: timeoutMs },
    // Given any, the client would speak TLS from the start.
    ...(url.startsWith("ldaps:") ? { tlsOptions: tlsOptionsOf(server) } : {}),
    createConnection: kept(connect),
    createSecureConnection: kept(connectTls),
  });
  try {
    return await withTimeout(`asking ${url}`, timeoutMs, call, ({ signal }) =>
      orAborted(begun(), signal),
    );
  } finally {
    for (const socket of sockets) socket.destroy();
  }

  async function begun(): Promise<Result> {
    if (server.starttls) await client.startTLS(tlsOptionsOf(server));
    return await work(connectionOf(client, (error) => codeIn(error)));
  }

  function codeIn(error: unknown): number | undefined {
    return error instanceof ResultCodeError ? error.code : undefined;
  }

  /** Whatever state its client is in, a socket is to be closed in the end. */
  function kept<Connect extends typeof connect | typeof connectTls>(original: Connect): Connect {
    const connecting = (...given: Parameters<typeof connect>) => {
      const socket = (original as typeof connect)(...given);
      socket.on("error", () => {}); // also after the client has stopped listening
      sockets.push(socket);
      return socket;
    };
    return connecting as Connect;
  }
}

function connectionOf(
  client: Client,
  codeIn: (error: unknown) => number | undefined,
): LdapConnection {
  return {
    async bind(dn, password) {
      if (dn === "" || password.reveal() === "") return false;
      try {
        await client.bind(dn, password.reveal());
        return true;
      } catch (error) {
        if (refusals.has(codeIn(error) ?? -1)) return false;
        throw error;
      }
    },

    async search({ base, filter, attributes, most }) {
      const wanted = { filter, attributes: [...attributes], sizeLimit: most };
      const { searchEntries } = await client.search(base, { scope: "sub", ...wanted });
      return searchEntries.map(({ dn, ...values }) => ({
        dn,
        valuesOf: (attribute) => valuesIn(values, attribute),
      }));
    },
  };
}

/** Names of attributes are the same in whatever case (RFC 4512, 2.5). */
function valuesIn(values: Readonly<Record<string, unknown>>, attribute: string): string[] {
  const wanted = attribute.toLowerCase();
  const found = Object.entries(values).find(([name]) => name.toLowerCase() === wanted);
  return [found?.[1] ?? []].flat().map(String);
}

function tlsOptionsOf({ url, secureContext }: LdapServer) {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, "");
  return { secureContext, host, ...(isIP(host) ? {} : { servername: host }) };
}

/** `value` for a filter, where it means nothing but itself (RFC 4515, section 3). */
export function escapedForFilter(value: string): string {
  const special = /[\0()*\\]/g;
  return value.replace(
    special,
    (letter) => `\\${letter.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** Whether a server would understand it. */
export async function isLdapFilter(text: string): Promise<boolean> {
  const { FilterParser } = await import("ldapts");
  try {
    FilterParser.parseString(text);
    return true;
  } catch {
    return false;
  }
}
