import { DewyError } from "../../base/errors.ts";

/** The client closed the connection before it had its answer: nobody's failure. */
export class ClientGone extends DewyError<"CLIENT_GONE"> {
  constructor(cause?: unknown) {
    super("CLIENT_GONE", "the client closed the connection", { cause });
  }
}
