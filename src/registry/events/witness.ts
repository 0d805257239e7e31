import { randomUUID } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Answer, Inquiry } from "../api/exchange.ts";
import type { Route } from "../api/routes.ts";
import type { ImageStore } from "../images/image-store.ts";
import type { EventAction, EventSink, Happening, RegistryEvent } from "./event.ts";
import { type TargetOptions, tagsToGo, targetsOf } from "./targets.ts";

export interface WitnessParts extends TargetOptions {
  store: Pick<ImageStore, "blobs" | "manifests" | "tags">;
  sink: EventSink;
  source: RegistryEvent["source"];
  /** Where a request comes from; empty when nobody says. */
  addressOf(inquiry: Inquiry): string;
  /** Of the request, where requests are traced. */
  traceparent(): string | undefined;
  clock: Clock;
  logger: Logger;
}

/**
 * Is there when a request begins, and told of its answer before the client is; `undefined` when
 * nothing can come of the request that anybody wants to hear of. Neither ever fails.
 *
 * A push, mount or deletion is answered when its event is written down; a pull does not wait.
 */
export type Witness = (
  route: Route,
  inquiry: Inquiry,
) => Promise<((answer: Answer) => Promise<void>) | undefined>;

export function witnessFor(parts: WitnessParts): Witness {
  const { store, sink, logger } = parts;

  return async (route, inquiry) => {
    if (!possibleActions(route, inquiry).some((action) => sink.wants(action))) return undefined;
    const tags = await quietly([], () => tagsToGo(route, inquiry, store));
    return async (answer) => {
      const happened = await quietly([], () =>
        targetsOf({ route, inquiry, answer, tags }, store, parts),
      );
      const published = happened
        .filter(({ action }) => sink.wants(action))
        .map((happening) => sink.publish(eventOf(happening, inquiry)));
      if (happened.some(({ action }) => action !== "pull")) await Promise.all(published);
    };
  };

  /** Nobody's request fails because others are to be told of it. */
  async function quietly<Result>(otherwise: Result, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      logger.error("a notification could not be put together", { error });
      return otherwise;
    }
  }

  function eventOf({ action, target }: Happening, inquiry: Inquiry): RegistryEvent {
    const { request, id, grant } = inquiry;
    const address = parts.addressOf(inquiry);
    const traceparent = parts.traceparent();
    return {
      id: randomUUID(),
      timestamp: parts.clock.now().toISOString(),
      action,
      target,
      request: {
        id,
        ...(address === "" ? {} : { addr: address }),
        ...(request.headers.host === undefined ? {} : { host: request.headers.host }),
        method: request.method ?? "",
        useragent: request.headers["user-agent"] ?? "",
      },
      actor: grant.user === undefined ? {} : { name: grant.user },
      source: parts.source,
      ...(traceparent && { traceparent }),
    };
  }
}

function possibleActions(route: Route, { request }: Inquiry): EventAction[] {
  const { method = "" } = request;
  if (route.kind === "uploads") return method === "POST" ? ["mount", "push"] : [];
  if (route.kind === "upload") return method === "PUT" ? ["push"] : [];
  if (route.kind === "repository") return method === "DELETE" ? ["delete"] : [];
  if (route.kind !== "manifest" && route.kind !== "blob") return [];
  if (["GET", "HEAD"].includes(method)) return ["pull"];
  if (method === "PUT") return ["push"];
  return method === "DELETE" ? ["delete"] : [];
}
