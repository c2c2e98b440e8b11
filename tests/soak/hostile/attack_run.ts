/**
 * One attack in progress: its connections, and the faults that it has found.
 *
 * @module
 */

import { type Address, AttackConnection, type Protocol } from "./attack_connection.ts";
import type { Deployment } from "./deployment.ts";

/** The connections, faults and notes of one attack. */
export class AttackRun {
  /** The faults that the attack has found. */
  readonly faults: string[] = [];
  /** Notable results that are not faults. */
  readonly notes: string[] = [];
  readonly #connections = new Set<AttackConnection>();
  readonly #address: Address;

  constructor(readonly deployment: Deployment) {
    this.#address = deployment.address;
  }

  /** Opens a connection. It is closed at the end of the attack at the latest. */
  async connect(protocol?: Protocol): Promise<AttackConnection> {
    const connection = await AttackConnection.connect(this.#address, protocol);
    this.#connections.add(connection);
    return connection;
  }

  /** Opens `count` connections. */
  async connectAll(count: number, protocol?: Protocol): Promise<AttackConnection[]> {
    const connections: AttackConnection[] = [];
    while (connections.length < count) connections.push(await this.connect(protocol));
    return connections;
  }

  /** Reports a fault once. */
  fail(fault: string): void {
    if (!this.faults.includes(fault)) this.faults.push(fault);
  }

  /** Reports a notable result once. */
  note(note: string): void {
    if (!this.notes.includes(note)) this.notes.push(note);
  }

  /** Closes all connections. */
  end(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }
}
