// A real Mesos master and its agents in one process, by the library that the Python package mesos.scheduler carries.
//
// A scheduler driver that is made for the master named "local" launches the cluster. The driver itself is never started,
// so it registers no framework, and every offer is for those under test. Only what is called is declared, by the names
// that the library gives it; the storage is larger than the real objects are.
#include <string>
#include <unistd.h>

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

}  // namespace mesos

int main() {
  new mesos::MesosSchedulerDriver(new mesos::Scheduler(), *new mesos::FrameworkInfo(), "local");
  for (;;) pause();
}
