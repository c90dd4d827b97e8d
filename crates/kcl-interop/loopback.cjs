// Preloaded into a server that has no option for its address: it listens on loopback only, on free ports, says which
// ("listening ASKED ACTUAL"), and ends with whoever holds its standard input.
'use strict';
const net = require('net');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  const callback = typeof given[given.length - 1] === 'function' ? given.pop() : undefined;
  const first = given[0];
  const options = first !== null && typeof first === 'object' ? { ...first } : { port: first };
  const asked = options.port;
  options.port = 0;
  options.host = '127.0.0.1';
  this.once('listening', () => console.log(`listening ${asked} ${this.address().port}`));
  return listen.call(this, options, callback);
};

process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
