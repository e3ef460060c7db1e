#include "window/background.h"

#include <QEventLoop>
#include <QThread>
#include <exception>
#include <memory>

namespace fovea::gui {

void inBackground(const std::function<void()>& work) {
    std::exception_ptr problem;
    QEventLoop loop;
    const std::unique_ptr<QThread> thread(QThread::create([&] {
        try {
            work();
        } catch (...) {
            problem = std::current_exception();
        }
    }));
    QObject::connect(thread.get(), &QThread::finished, &loop, &QEventLoop::quit);
    thread->start();
    // What the user does meanwhile waits: it could change what is being written.
    loop.exec(QEventLoop::ExcludeUserInputEvents);
    thread->wait();
    if (problem) std::rethrow_exception(problem);
}

}  // namespace fovea::gui
