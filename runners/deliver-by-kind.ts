// How a message is brought to an agent in a terminal: each kind of agent has its own way.
import type { AgentEntry } from '../core/agent.ts';
import type { Clock } from '../core/ports.ts';
import type { Deliver } from './deliver.ts';
import { createClaudeDelivery } from './deliver-claude.ts';
import { deliverToDemo, deliverToProgram } from './deliver-line.ts';

export interface DeliveryMeans {
  readonly clock: Clock;
  /** Whether the terminal has shown this text since that byte of its log. */
  readonly shows: (text: string, since: number) => Promise<boolean>;
  /** Whether a program that keeps no record may be told something now. */
  readonly isReady: () => boolean;
}

export function deliverTo(kind: AgentEntry['kind'], { clock, shows, isReady }: DeliveryMeans): Deliver {
  switch (kind) {
    case 'claude':
      return createClaudeDelivery(clock);
    case 'demo':
      return deliverToDemo;
    case 'command':
      return deliverToProgram(shows, isReady);
  }
}
