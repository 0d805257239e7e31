import { type ClientHttp2Session, connect, constants } from "node:http2";
import type { Socket } from "node:net";
import type { Call } from "../../base/call.ts";
import { messageOf } from "../../base/errors.ts";
import { ProbeError } from "./probe-error.ts";

const method = "/grpc.health.v1.Health/Check";
/** A message that is not compressed and has no fields: the health of the whole server. */
const emptyMessage = Buffer.alloc(5);
/** What `HealthCheckResponse.status` may be. */
const statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const longestAnswer = 1_024;

/**
 * Asks `grpc.health.v1.Health/Check` over a connection that is there already. Ten bytes of gRPC, and
 * no library: that one would make its own connection, and reach the old process.
 *
 * @throws {ProbeError}
 */
export async function askByGrpc(socket: Socket, call: Call): Promise<void> {
  const session = connect("http://localhost", { createConnection: () => socket });
  const end = () => session.destroy();
  call.signal.addEventListener("abort", end, { once: true });
  try {
    const answer = await answerFrom(session);
    if (answer.status !== undefined && answer.status !== "0") {
      const said = answer.message ? `: ${answer.message}` : "";
      throw new ProbeError("WRONG_ANSWER", `${method} failed with gRPC ${answer.status}${said}`);
    }
    const found = statusIn(answer.body);
    if (found !== "SERVING") {
      throw new ProbeError("WRONG_ANSWER", `${method} answered ${found}, not SERVING`);
    }
  } catch (cause) {
    if (cause instanceof ProbeError) throw cause;
    throw new ProbeError("NO_ANSWER", `${method}: ${messageOf(cause)}`, { cause });
  } finally {
    call.signal.removeEventListener("abort", end);
    session.destroy();
    socket.destroy();
  }
}

/** A `HealthCheckResponse`, behind the five bytes of its length, has no field but that one. */
function statusIn(body: Buffer): string {
  if (body.equals(emptyMessage)) return "UNKNOWN";
  const [tag, status = -1] = body.subarray(5);
  const isWhole = body.length === 7 && body.readUInt32BE(1) === 2 && tag === 0x08;
  return (isWhole && statuses[status]) || "what is no word about its health";
}

interface GrpcAnswer {
  status: string | undefined;
  message: string | undefined;
  body: Buffer;
}

function answerFrom(session: ClientHttp2Session): Promise<GrpcAnswer> {
  return new Promise((resolve, reject) => {
    session.on("error", reject);
    session.on("close", () => reject(new Error("the connection was closed")));
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: method,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const told: Record<string, unknown> = {};
    const chunks: Buffer[] = [];
    let bytes = 0;
    stream.on("response", (headers) => Object.assign(told, headers));
    stream.on("trailers", (headers) => Object.assign(told, headers));
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > longestAnswer) return session.destroy();
      chunks.push(chunk);
    });
    stream.on("error", reject);
    stream.on("end", () => {
      const text = (name: string) => (told[name] === undefined ? undefined : String(told[name]));
      const body = Buffer.concat(chunks);
      resolve({ status: text("grpc-status"), message: text("grpc-message"), body });
    });
    stream.end(emptyMessage);
  });
}
