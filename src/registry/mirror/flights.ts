/** Work that is under way, by what it is for: whoever wants the same joins it. */
export class Flights<Value> {
  readonly #flights = new Map<string, Promise<Value>>();

  join(key: string, begin: () => Promise<Value>): Promise<Value> {
    const joined = this.#flights.get(key);
    if (joined !== undefined) return joined;
    const flight = begin().finally(() => this.#flights.delete(key));
    flight.catch(() => {}); // who waited may have given up; who still does hears of it
    this.#flights.set(key, flight);
    return flight;
  }

  /** Resolves when nothing is under way. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#flights.values());
  }
}
