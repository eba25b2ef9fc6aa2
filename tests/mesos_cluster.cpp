// A real Mesos master and its agents in one process, by the library that the Python package mesos.scheduler carries.
// With the address of another master in $AGENTS_OF, as ip:port, the agents are that one's.
//
// A scheduler driver that is made for the master named "local" launches the cluster. The driver itself is never started,
// so it registers no framework, and every offer is for those under test. Only what is called is declared, by the names
// that the library gives it; the storage is larger than the real objects are.
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace process {

struct UPID {
  UPID(const std::string&);
  alignas(16) char storage[1024];
};

}  // namespace process

namespace mesos {

struct FrameworkInfo {
  FrameworkInfo();
  alignas(16) char storage[4096];
};

// Mesos's Scheduler has ten callbacks after the destructor; none is ever called.
struct Scheduler {
  virtual ~Scheduler() {}
  virtual void c1() {}
  virtual void c2() {}
  virtual void c3() {}
  virtual void c4() {}
  virtual void c5() {}
  virtual void c6() {}
  virtual void c7() {}
  virtual void c8() {}
  virtual void c9() {}
  virtual void c10() {}
};

struct MesosSchedulerDriver {
  MesosSchedulerDriver(Scheduler*, const FrameworkInfo&, const std::string&);
  alignas(16) char storage[8192];
};

namespace master {
namespace detector {

struct StandaloneMasterDetector {
  void appoint(const process::UPID&);
};

}  // namespace detector
}  // namespace master
}  // namespace mesos

// Tells the agents, and the master beside them, which master leads. It is called by the library once, with that master.
extern "C" void appoint(void*, const void*)
    asm("_ZN5mesos6master8detector24StandaloneMasterDetector7appointERK6OptionINS_10MasterInfoEE");

// In its place: another master leads, and the one beside the agents waits for its turn.
static void appoint_other(mesos::master::detector::StandaloneMasterDetector* detector, const void*) {
  detector->appoint(process::UPID(std::string("master@") + getenv("AGENTS_OF")));
}

// The library binds its calls when it is linked, so that the function itself is made to jump elsewhere.
static void replace(char* function, void (*other)(mesos::master::detector::StandaloneMasterDetector*, const void*)) {
  char jump[] = "\x48\xb8........\xff\xe0";  // movabs rax, other; jmp rax
  memcpy(jump + 2, &other, sizeof other);
  const long page = sysconf(_SC_PAGESIZE);
  char* begin = function - reinterpret_cast<unsigned long>(function) % page;
  mprotect(begin, 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC);
  memcpy(function, jump, sizeof jump - 1);
}

int main() {
  if (getenv("AGENTS_OF")) replace(reinterpret_cast<char*>(&appoint), &appoint_other);
  new mesos::MesosSchedulerDriver(new mesos::Scheduler(), *new mesos::FrameworkInfo(), "local");
  for (;;) pause();
}
