import type { IncomingMessage } from "node:http";
import type { Call } from "../../base/call.ts";
import { Secret } from "../../base/secret.ts";
import { type Credentials, type Grant, unlimitedGrant, type Wish } from "../auth/authenticator.ts";
import type { Gate } from "../auth/gate.ts";
import type { ClientAddress } from "../auth/trusted-proxies.ts";
import { type LocationOptions, locationFor } from "./location.ts";
import type { Route } from "./routes.ts";

export interface AdmissionParts {
  gate: Gate;
  clientAddress: ClientAddress;
  location: LocationOptions;
}

type Admit = (route: Route | undefined, request: IncomingMessage, call: Call) => Promise<Grant>;

/**
 * Asks the gate about a request, by its head alone: of a body, nothing is read before.
 *
 * @throws as `Gate.admit` does
 */
export function admissionTo(parts: AdmissionParts): Admit {
  const { gate, location } = parts;
  return async (route, request, call) => {
    const { method = "", headers } = request;
    // Browsers ask with OPTIONS, never with credentials, whether they may send some.
    const isOpen = route === undefined || isForAll(route) || method === "OPTIONS";
    if (isOpen) return unlimitedGrant(undefined);
    const visit = {
      credentials: credentialsIn(headers.authorization),
      wishes: wishesFor(route, method),
      address: addressOf(request, parts),
      origin: () => originFor(request, location),
      locate: (path: string) => urlFor(path, request, location),
    };
    return await gate.admit(visit, call);
  };
}

/** Where tokens are handed out, who asks is looked at there. */
function isForAll({ kind }: Route): boolean {
  return kind === "root" || kind === "token";
}

/** Distribution's "Token Scope Documentation", and that who may push may give up an upload. */
export function wishesFor(route: Route, method: string): Wish[] {
  if (route.kind === "root" || route.kind === "base" || route.kind === "token") return [];
  if (route.kind === "catalog" || route.kind === "repositories") {
    return [{ type: "registry", name: "catalog", action: "*" }];
  }
  if (route.kind === "quotas") return [{ type: "registry", name: "quotas", action: "*" }];
  if (route.kind === "collections" || route.kind === "collection") {
    return [{ type: "registry", name: "garbage", action: "*" }];
  }
  if (route.kind === "scrubs" || route.kind === "scrub") {
    return [{ type: "registry", name: "scrubs", action: "*" }];
  }
  const wish = (action: Wish["action"]): Wish => ({
    type: "repository",
    name: route.repository,
    action,
  });
  const isWrite = ["POST", "PUT", "PATCH"].includes(method);
  if (isWrite || (method === "DELETE" && route.kind === "upload")) {
    return [wish("pull"), wish("push")];
  }
  return [wish(method === "DELETE" ? "delete" : "pull")];
}

/** RFC 9110, section 11.6.2. What cannot be read is something shown all the same, and is refused. */
export function credentialsIn(header: string | undefined): Credentials | undefined {
  if (header === undefined) return undefined;
  const [, scheme = "", value = ""] = /^(\S+) +(\S+)$/.exec(header.trim()) ?? [];
  if (scheme.toLowerCase() === "bearer") return { scheme: "bearer", token: new Secret(value) };
  if (scheme.toLowerCase() !== "basic") return { scheme: "other" };
  const pair = Buffer.from(value, "base64").toString();
  const colon = pair.indexOf(":");
  if (colon < 0) return { scheme: "other" };
  // Podman and skopeo send nobody's name and password when they have none.
  if (pair === ":") return undefined;
  const password = new Secret(pair.slice(colon + 1));
  return { scheme: "basic", user: pair.slice(0, colon), password };
}

/** A token server of our own is at the place that the client reached us by, and that is by TLS. */
function originFor({ headers }: IncomingMessage, { host }: LocationOptions): string | undefined {
  const whole = { host, prefix: "", relative: false, scheme: "https" } as const;
  return locationFor("", whole, headers) || undefined;
}

function urlFor(path: string, { headers }: IncomingMessage, options: LocationOptions) {
  const url = locationFor(path, { ...options, relative: false }, headers);
  return url.startsWith("/") ? undefined : url;
}

/** Where a request comes from, as far as our own proxies can be believed; empty when nobody says. */
export function addressOf(
  { headers, socket }: IncomingMessage,
  { clientAddress }: Pick<AdmissionParts, "clientAddress">,
): string {
  const header = headers["x-forwarded-for"];
  return clientAddress(socket?.remoteAddress, Array.isArray(header) ? header.join(",") : header);
}

/** Where a request comes from, as notifications say it: with the port, where no proxy is between. */
export function endOfClient(parts: Pick<AdmissionParts, "clientAddress">) {
  return ({ request }: { request: IncomingMessage }): string => {
    const address = addressOf(request, parts);
    const { remoteAddress, remotePort } = request.socket ?? {};
    if (address === "" || parts.clientAddress(remoteAddress, undefined) !== address) return address;
    return `${address.includes(":") ? `[${address}]` : address}:${remotePort}`;
  };
}
